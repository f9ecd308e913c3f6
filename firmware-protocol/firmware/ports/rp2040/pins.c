#include "pins.h"

#include "../../front-ends/wiring.h"
#include "chip.h"
#include "clock.h"

#define IO_BANK0 0x40014000u
#define PADS_BANK0 0x4001c000u
#define SIO_OUT_SET REGISTER(0xd0000014)
#define SIO_OUT_CLR REGISTER(0xd0000018)
#define SIO_OE_SET REGISTER(0xd0000024)

#define RESET_IO_BANK0 (1u << 5)
#define RESET_PADS_BANK0 (1u << 8)

enum { TO_SPI = 1, TO_UART = 2, TO_SIO = 5 };
/* 4 mA, input on; with a pull-up, or with none. */
enum { PAD_IN = 0x5a, PAD_OUT = 0x52 };

static const uint8_t gpio[PINS] = RP2040_GPIO;

static void use(uint32_t pin, uint32_t function, uint32_t pad) {
  REGISTER(PADS_BANK0 + 4 + 4u * gpio[pin]) = pad;
  REGISTER(IO_BANK0 + 4 + 8u * gpio[pin]) = function;
}

static void out(uint32_t pin, bool high) {
  if (high) SIO_OUT_SET = 1u << gpio[pin];
  else SIO_OUT_CLR = 1u << gpio[pin];
  SIO_OE_SET = 1u << gpio[pin];
  use(pin, TO_SIO, PAD_OUT);
}

void pins_start(void) {
  unreset(RESET_IO_BANK0 | RESET_PADS_BANK0);
  out(PIN_LINES_ALIVE, false);
  out(PIN_SELECT_ROW_DAC, true);
  out(PIN_SELECT_COLUMN_DAC, true);
  out(PIN_SELECT_ADC, true);
  out(PIN_SELECT_SWITCHES, true);
  out(PIN_LOAD_DACS, true);
  use(PIN_OVER_CURRENT, TO_SIO, PAD_IN);
  use(PIN_SPI_CLOCK, TO_SPI, PAD_OUT);
  use(PIN_SPI_OUT, TO_SPI, PAD_OUT);
  use(PIN_SPI_IN, TO_SPI, PAD_IN);
  use(PIN_UART_TX, TO_UART, PAD_OUT);
  use(PIN_UART_RX, TO_UART, PAD_IN);
}
