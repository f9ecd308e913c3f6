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

/* The frame ends the same time after the timer has turned to `time`, and `spins` of three cycles. */
IN_RAM static void exchange_at(uint32_t time, uint32_t spins, uint32_t select, const bus_frame *frame) {
  uint8_t in[BUS_MAX_FRAME];
  while (TIMER_NOW != time) {
  }
  if (spins > 0) __asm volatile("1: sub %0, #1\n bne 1b" : "+l"(spins) : : "cc");
  exchange(select, frame->bytes, in, frame->count);
}

void bus_edges(const bus_frame *first, const bus_frame *second, uint32_t width) {
  uint32_t whole = width / 10u;
  uint32_t spins = (width % 10u * 25u + 3u) / 6u; /* 0.1 µs is 12.5 cycles */
  cortex_interrupts_off();
  uint32_t start = TIMER_NOW + 2;
  exchange_at(start, 0, select_bit[first->device], first);
  if (whole > 2 * QUIET) {
    cortex_interrupts_on();
    sleep_until(start + whole - QUIET);
    cortex_interrupts_off();
  }
  exchange_at(start + whole, spins, select_bit[second->device], second);
  cortex_interrupts_on();
}

void bus_guard(uint32_t microseconds) {
  if (microseconds > 0) watchdog_limit(microseconds);
  else watchdog_feed();
}
