/* The front end's bus: SPI0, pins of the SIO, the timer of microseconds. */
#include "../../front-ends/bus.h"

#include "../../front-ends/wiring.h"
#include "bus-start.h"
#include "chip.h"
#include "clock.h"

#define SPI 0x4003c000u
#define SPI_CR0 REGISTER(SPI + 0x00)
#define SPI_CR1 REGISTER(SPI + 0x04)
#define SPI_DATA REGISTER(SPI + 0x08)
#define SPI_STATUS REGISTER(SPI + 0x0c)
#define SPI_PRESCALE REGISTER(SPI + 0x10)
#define SPI_NOT_EMPTY (1u << 2)

#define SIO_IN REGISTER(0xd0000004)
#define SIO_OUT_SET REGISTER(0xd0000014)
#define SIO_OUT_CLR REGISTER(0xd0000018)

#define TIMER_ALARM0 REGISTER(TIMER + 0x10)
#define TIMER_INTERRUPTS REGISTER(TIMER + 0x34)
#define TIMER_INTERRUPT_ENABLE REGISTER(TIMER + 0x38)
#define TIMER_IRQ_0 0u

#define RESET_SPI0 (1u << 16)

/* A wait longer than this, in µs, sleeps. */
#define SHORT 30u
/* Before the second edge of a pulse no interrupt comes for so long, µs: more than any of ours takes. */
#define QUIET 60u

static const uint8_t gpio[PINS] = RP2040_GPIO;
static const uint8_t selects[DEVICES] = DEVICE_SELECT;
/* In RAM, with the code that needs it in time. */
static uint32_t select_bit[DEVICES];

void bus_start(void) {
  for (uint32_t i = 0; i < DEVICES; i++) select_bit[i] = 1u << gpio[selects[i]];
  unreset(RESET_SPI0);
  _Static_assert(CORE_CLOCK / SPI_CLOCK_HZ == 8, "the divider below");
  SPI_PRESCALE = 8;
  SPI_CR0 = 1u << 7 | 7u; /* mode 1, words of 8 bits */
  SPI_CR1 = 1u << 1;
  TIMER_INTERRUPT_ENABLE = 1;
  cortex_interrupt_enable(TIMER_IRQ_0);
}

void timer_interrupt(void) { TIMER_INTERRUPTS = 1; }

/* A frame fits the FIFO. */
static inline __attribute__((always_inline)) void exchange(uint32_t select, const uint8_t *out, uint8_t *in,
                                                           uint32_t count) {
  SIO_OUT_CLR = select;
  for (uint32_t i = 0; i < count; i++) SPI_DATA = out[i];
  for (uint32_t i = 0; i < count; i++) {
    while (!(SPI_STATUS & SPI_NOT_EMPTY)) {
    }
    in[i] = (uint8_t)SPI_DATA;
  }
  SIO_OUT_SET = select;
}

IN_RAM void bus_exchange(bus_frame *frame) {
  exchange(select_bit[frame->device], frame->bytes, frame->bytes, frame->count);
}

void bus_pin(uint8_t pin, bool high) {
  if (high) SIO_OUT_SET = 1u << gpio[pin];
  else SIO_OUT_CLR = 1u << gpio[pin];
}

bool bus_pin_is_high(uint8_t pin) { return (SIO_IN >> gpio[pin] & 1u) != 0; }

static uint32_t wake_at;

static bool is_time(void) { return (int32_t)(TIMER_NOW - wake_at) >= 0; }

/* Until shortly before the timer shows `time`, with interrupts. */
static void sleep_until(uint32_t time) {
  wake_at = time - 2;
  TIMER_ALARM0 = time - 1;
  while (!is_time()) cortex_sleep_unless(is_time);
}

void bus_wait(uint32_t microseconds) {
  uint32_t start = TIMER_NOW;
  if (microseconds > SHORT) sleep_until(start + microseconds);
  while (TIMER_NOW - start <= microseconds) {
  }
}

/* Cycles of the core, downwards, modulo a millisecond: the counter that makes the ticks. */
#define PHASE REGISTER(0xe000e018)
#define PHASES (CORE_CLOCK / 1000u)
/* The last loop that looks at it takes less. */
#define LAST 24u
/* From the call to the first edge, and from the end of a coarse wait to an edge: cycles, and µs that are surely less. */
#define LEAD 250u
#define LEAD_US 3u

static uint32_t phase_after(uint32_t phase, uint32_t cycles) { return (phase + 2 * PHASES - cycles % PHASES) % PHASES; }

/* The frame ends the same time after the core has come to `phase`, which is a little after `time`. */
IN_RAM static void exchange_at(uint32_t time, uint32_t phase, uint32_t select, const bus_frame *frame) {
  uint8_t in[BUS_MAX_FRAME];
  uint32_t left;
  while ((int32_t)(TIMER_NOW - time) < 0) {
  }
  do {
    left = PHASE - phase;
    if ((int32_t)left < 0) left += PHASES;
  } while (left > LAST && left < PHASES / 2);
  if (left > LAST) left = 0; /* too late */
  /* Three cycles a turn. */
  left = (left * 21846u >> 16) + 1u;
  __asm volatile("1: sub %0, #1\n bne 1b" : "+l"(left) : : "cc");
  exchange(select, frame->bytes, in, frame->count);
}

void bus_edges(const bus_frame *first, const bus_frame *second, uint32_t width) {
  uint32_t whole = width / 10u;
  uint32_t cycles = width % (10u * 1000u) * 25u / 2u; /* those beyond whole milliseconds */
  cortex_interrupts_off();
  uint32_t start = TIMER_NOW;
  uint32_t phase = phase_after(PHASE, LEAD);
  uint32_t next = phase_after(phase, cycles);
  exchange_at(start, phase, select_bit[first->device], first);
  if (whole > 2 * QUIET) {
    cortex_interrupts_on();
    sleep_until(start + whole - QUIET);
    cortex_interrupts_off();
  }
  exchange_at(start + whole - LEAD_US, next, select_bit[second->device], second);
  cortex_interrupts_on();
}

void bus_guard(uint32_t microseconds) {
  if (microseconds > 0) watchdog_limit(microseconds);
  else watchdog_feed();
}
