#include "clock.h"

#include "../../hal.h"
#include "chip.h"

#define RESETS 0x4000c000u
#define PSM_WDSEL REGISTER(0x40010008)
#define XOSC 0x40024000u
#define PLL 0x40028000u
#define CLOCKS 0x40008000u
#define CLK_REF_CTRL REGISTER(CLOCKS + 0x30)
#define CLK_REF_SELECTED REGISTER(CLOCKS + 0x38)
#define CLK_SYS_CTRL REGISTER(CLOCKS + 0x3c)
#define CLK_SYS_SELECTED REGISTER(CLOCKS + 0x44)
#define CLK_PERI_CTRL REGISTER(CLOCKS + 0x48)
#define WATCHDOG 0x40058000u
#define WATCHDOG_CTRL REGISTER(WATCHDOG + 0x00)
#define WATCHDOG_LOAD REGISTER(WATCHDOG + 0x04)
#define WATCHDOG_TICK REGISTER(WATCHDOG + 0x2c)

#define CRYSTAL_MHZ 12u

#define RESET_PLL_SYS (1u << 12)
#define RESET_TIMER (1u << 21)

void unreset(uint32_t bits) {
  REGISTER(RESETS + CLEAR) = bits;
  while ((REGISTER(RESETS + 8) & bits) != bits) {
  }
}

/* The counter goes down twice a microsecond (erratum E1), and has 24 bits. */
void watchdog_limit(uint32_t microseconds) { WATCHDOG_LOAD = 2 * microseconds; }

void watchdog_feed(void) { watchdog_limit(1000000); }

/* A reset request of the core would leave the pins as they are; the watchdog resets all. */
_Noreturn void cortex_restart(void) {
  WATCHDOG_CTRL = 1u << 31;
  for (;;) __asm volatile("dsb" ::: "memory");
}

static void pll_start(void) {
  unreset(RESET_PLL_SYS);
  REGISTER(PLL + 0x00) = 1;                    /* reference: 12 MHz / 1 */
  REGISTER(PLL + 0x08) = 125;                  /* oscillator: 1500 MHz */
  REGISTER(PLL + 0x04 + CLEAR) = 1u << 5 | 1u; /* it and the whole on */
  while (!(REGISTER(PLL) & 1u << 31)) {
  }
  REGISTER(PLL + 0x0c) = 6u << 16 | 2u << 12; /* / 6 / 2 */
  REGISTER(PLL + 0x04 + CLEAR) = 1u << 3;
}

void clocks_start(void) {
  REGISTER(XOSC + 0x0c) = 47; /* 1 ms */
  REGISTER(XOSC + 0x00) = 0xaa0u | 0xfabu << 12;
  while (!(REGISTER(XOSC + 0x04) & 1u << 31)) {
  }
  CLK_REF_CTRL = 2;
  while (!(CLK_REF_SELECTED & 1u << 2)) {
  }
  /* Microseconds for the timer and for the watchdog, which takes all but the oscillators with it. */
  WATCHDOG_TICK = CRYSTAL_MHZ | 1u << 9;
  PSM_WDSEL = 0x0001fffc;
  watchdog_feed();
  WATCHDOG_CTRL = 1u << 30;
  pll_start();
  CLK_SYS_CTRL = 0;
  while (!(CLK_SYS_SELECTED & 1u)) {
  }
  CLK_SYS_CTRL = 1; /* from the PLL */
  while (!(CLK_SYS_SELECTED & 2u)) {
  }
  CLK_PERI_CTRL = 1u << 11;
  unreset(RESET_TIMER);
  cortex_ticks_start(CORE_CLOCK);
}

uint32_t hal_now(void) { return TIMER_NOW; }
