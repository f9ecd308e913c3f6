/**
 * An RP2040 that runs the very file that goes onto a Pico, instruction by instruction (rp2040js), with its pins, its SPI, its
 * UART, its watchdog and its flash chip wired up.
 *
 * While the firmware works its time passes as fast as we can; while it waits for the host it passes as ours does.
 */
import { RP2040 } from 'rp2040js';
import { GPIO, type Pin } from '../../../firmware-protocol/generated/wiring.js';
import type { Machine } from '../machine.js';
import { type Circuit, PULLED_UP } from './circuit.js';
import { FlashPort, RandomOscillator } from './peripherals.js';
import { readUf2 } from './uf2.js';

const BOOT_BLOCK = 0x20041f00;
const BOOT_BLOCK_SIZE = 256;
const ROSC = 0x40060;
const SSI = 0x18000;
const WATCHDOG = 0x40058;
const IO_QSPI = 0x40018;
const TIMER_ARMED = 0x40054020;
const STACK_BOTTOM = 0x20000000;
const STACK_SIZE = 4096;
const STACK_PAINT = 0xfee1dead;
/** GPIO functions. */
const TO_SPI = 1;
const TO_UART = 2;
/** Instructions between two looks at the world outside. */
const TURN = 20_000;
/** And between two looks at its input pin. */
const LOOK = 1000;
/** The fastest clock that all chips take, Hz: that of the ADC. Recalled from its data sheet and not confirmed. */
const FASTEST_SPI = 17e6;
/** Bits of a byte on the line, and how far its speed may be off. */
const FRAME_BITS = 10;
const BAUD = 921_600;
const BAUD_ERROR = 0.02;
const OUTPUTS: readonly Pin[] = [...PULLED_UP, 'LINES_ALIVE'];

export interface EmulatorOptions {
  uf2: Uint8Array;
  /** 32 random bits. */
  random: () => number;
  transmit: (bytes: Uint8Array) => void;
  /** Told of what the emulated chip complains of. */
  onWarning?: ((text: string) => void) | undefined;
}

/** Time of all its boots together, s. */
export class EmulatedClock {
  /** Of boots before this one. */
  base = 0;
  chip: RP2040 | undefined;

  get time(): number {
    return this.base + (this.chip ? this.chip.clock.nanos * 1e-9 : 0);
  }
}

export class Emulator implements Machine {
  readonly #clock: EmulatedClock;
  readonly #circuit: Circuit;
  readonly #options: EmulatorOptions;
  readonly #image: Uint8Array;
  #chip!: RP2040;
  #toBoard: number[] = [];
  #toHost: number[] = [];
  #feeding = false;
  #mustReset = false;
  /** Since when the firmware has had nothing to do: our time and its, ns. */
  #idle: { ours: number; its: number } | undefined;
  /** Instructions since the first boot. */
  instructions = 0;
  /** No instruction is executed any more, as if the firmware hung, until the watchdog sees it. */
  stuck = false;

  constructor(circuit: Circuit, clock: EmulatedClock, options: EmulatorOptions) {
    this.#circuit = circuit;
    this.#clock = clock;
    this.#options = options;
    this.#image = readUf2(options.uf2);
  }

  /** Power on: every chip of the board starts. */
  boot(): void {
    this.#circuit.powerCycle();
    this.#start();
  }

  receive(bytes: Uint8Array): void {
    for (const byte of bytes) this.#toBoard.push(byte);
    this.#idle = undefined;
    this.#feed();
  }

  poll(): boolean {
    const more = this.#run();
    if (this.#toHost.length > 0) {
      this.#options.transmit(Uint8Array.from(this.#toHost));
      this.#toHost = [];
    }
    return more;
  }

  /** Most bytes of the stack that were in use since the last boot. */
  get stackUsed(): number {
    let at = STACK_BOTTOM;
    while (at < STACK_BOTTOM + STACK_SIZE && this.#chip.readUint32(at) === STACK_PAINT) at += 4;
    return STACK_BOTTOM + STACK_SIZE - at;
  }

  /** From reset to the first instruction of the boot block. The board's other chips keep their power. */
  #start(): void {
    this.#clock.base = this.#clock.time;
    const chip = new RP2040();
    this.#chip = chip;
    this.#clock.chip = chip;
    this.#mustReset = false;
    this.stuck = false;
    this.#toBoard = [];
    this.#idle = undefined;
    this.#feeding = false;
    const tell = (component: string, text: string) => this.#options.onWarning?.(`${component}: ${text}`);
    chip.logger = { debug() {}, info() {}, warn: tell, error: tell };
    const flash = new FlashPort(chip, Buffer.from(this.#circuit.identity, 'hex'));
    chip.peripherals[SSI] = flash;
    chip.peripherals[IO_QSPI] = flash.pins;
    chip.peripherals[ROSC] = new RandomOscillator(chip, this.#options.random);
    this.#wirePins(chip);
    this.#wireSpi(chip);
    this.#wireUart(chip);
    const watchdog = chip.peripherals[WATCHDOG] as unknown as {
      onWatchdogTrigger: () => void;
      timer: { enable: boolean };
    };
    watchdog.onWatchdogTrigger = () => {
      this.#mustReset = true;
      // At 0 it would be due again at once, for ever, before the reset is looked at.
      watchdog.timer.enable = false;
    };
    chip.flash.set(this.#image);
    // As the boot ROM does, which has looked at the checksum (uf2.ts).
    chip.sram.set(this.#image.subarray(0, BOOT_BLOCK_SIZE), BOOT_BLOCK - STACK_BOTTOM);
    chip.core.PC = BOOT_BLOCK;
  }

  #wirePins(chip: RP2040): void {
    for (const pin of OUTPUTS) {
      const gpio = chip.gpio[GPIO[pin]];
      const level = () => (gpio.outputEnable ? gpio.outputValue : PULLED_UP.includes(pin));
      this.#circuit.pin(pin, level());
      gpio.addListener(() => this.#circuit.pin(pin, level()));
    }
  }

  /** A word takes the time of its bits. Chips hear nothing that is not as they want it. */
  #wireSpi(chip: RP2040): void {
    const [spi] = chip.spi;
    const { SPI_CLOCK, SPI_OUT, SPI_IN } = GPIO;
    let word = 0;
    const done = chip.clock.createAlarm(() => {
      const wired = [SPI_CLOCK, SPI_OUT, SPI_IN].every((pin) => chip.gpio[pin].functionSelect === TO_SPI);
      const understood =
        wired && spi.enabled && spi.spiMode === 1 && spi.dataBits === 8 && spi.clockFrequency <= FASTEST_SPI;
      spi.completeTransmit(understood ? this.#circuit.exchange(word) : 0xff);
    });
    spi.onTransmit = (value) => {
      word = value;
      done.schedule((spi.dataBits / spi.clockFrequency) * 1e9);
    };
  }

  #wireUart(chip: RP2040): void {
    const [uart] = chip.uart;
    const { UART_TX } = GPIO;
    uart.onByte = (byte) => {
      const heard = chip.gpio[UART_TX].functionSelect === TO_UART && this.#baudIsRight();
      this.#toHost.push(heard ? byte : byte ^ 0x55);
    };
  }

  #baudIsRight(): boolean {
    return Math.abs(this.#chip.uart[0].baudRate / BAUD - 1) < BAUD_ERROR;
  }

  /** Bytes arrive one after the other, at the speed of the line. */
  #feed(): void {
    if (this.#feeding || this.#toBoard.length === 0) return;
    this.#feeding = true;
    const chip = this.#chip;
    let next = 0;
    const alarm = chip.clock.createAlarm(() => {
      const byte = this.#toBoard[next++];
      if (chip.gpio[GPIO.UART_RX].functionSelect === TO_UART && chip.uart[0].enabled && this.#baudIsRight())
        chip.uart[0].feedByte(byte);
      if (next < this.#toBoard.length) alarm.schedule((FRAME_BITS / BAUD) * 1e9);
      else {
        this.#toBoard = [];
        this.#feeding = false;
      }
    });
    alarm.schedule((FRAME_BITS / BAUD) * 1e9);
  }

  /** True if there is more to do now. */
  #run(): boolean {
    for (let n = 0; n < TURN; n++) {
      if (this.#mustReset) this.#start();
      const chip = this.#chip;
      if (n % LOOK === 0) chip.gpio[GPIO.OVER_CURRENT].setInputValue(this.#circuit.pinIsHigh('OVER_CURRENT'));
      const clock = chip.clock as unknown as { tick(nanos: number): void; nanosToNextAlarm: number };
      this.#wake(chip);
      if (!chip.core.waiting && !this.stuck) {
        const cycles = chip.core.executeInstruction();
        clock.tick((cycles * 1e9) / chip.clkSys);
        this.instructions++;
        continue;
      }
      const next = Math.max(1, clock.nanosToNextAlarm);
      if (this.stuck || this.#works(chip)) {
        this.#idle = undefined;
        clock.tick(next);
        continue;
      }
      const { nanos } = chip.clock;
      this.#idle ??= { ours: performance.now(), its: nanos };
      const allowed = this.#idle.its + (performance.now() - this.#idle.ours) * 1e6 - nanos;
      if (next > allowed) return false;
      clock.tick(next);
    }
    return true;
  }

  /** A tick of a millisecond ends a sleep too; rp2040js looks for it before an instruction only. */
  #wake({ core }: RP2040): void {
    if (core.waiting && core.interruptsUpdated && core.checkForInterrupts()) core.waiting = false;
  }

  /** It sleeps in the middle of an operation, or bytes are on their way. */
  #works(chip: RP2040): boolean {
    return this.#feeding || (chip.readUint32(TIMER_ARMED) & 1) !== 0;
  }
}
