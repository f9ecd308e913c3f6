/* Clocks, time and watchdog of the STM32F405. */
#include "clock.h"

#include "../../hal.h"
#include "../cortex-m/cortex-m.h"

#define RCC 0x40023800u
#define RCC_CR REGISTER(RCC + 0x00)
#define RCC_PLLCFGR REGISTER(RCC + 0x04)
#define RCC_CFGR REGISTER(RCC + 0x08)
#define RCC_AHB1ENR REGISTER(RCC + 0x30)
#define RCC_AHB2ENR REGISTER(RCC + 0x34)
#define RCC_APB1ENR REGISTER(RCC + 0x40)
#define RCC_APB2ENR REGISTER(RCC + 0x44)
#define FLASH_ACR REGISTER(0x40023c00)
#define IWDG_KR REGISTER(0x40003000)
#define IWDG_PR REGISTER(0x40003004)
#define IWDG_RLR REGISTER(0x40003008)
#define IWDG_SR REGISTER(0x4000300c)
#define TIM2 0x40000000u
#define TIM2_CR1 REGISTER(TIM2 + 0x00)
#define TIM2_EGR REGISTER(TIM2 + 0x14)
#define TIM2_CNT REGISTER(TIM2 + 0x24)
#define TIM2_PSC REGISTER(TIM2 + 0x28)

/* One second of the 32 kHz oscillator. QEMU 7.2 has no such watchdog: there these are writes to nothing. */
void watchdog_start(void) {
  IWDG_KR = 0xcccc;
  IWDG_KR = 0x5555;
  IWDG_PR = 3; /* divides by 32 */
  IWDG_RLR = 1000;
  while (IWDG_SR != 0) {
  }
  watchdog_feed();
}

void watchdog_feed(void) { IWDG_KR = 0xaaaa; }

/* QEMU has no clock tree: all of it reads 0, the core runs at 168 MHz and the timers at 1 GHz. The chip always
 * has this oscillator on. */
bool clock_is_emulated(void) { return (RCC_CR & 2u) == 0; }

/* 168 MHz from the internal 16 MHz oscillator, 48 MHz for the random numbers. If it does not come, the watchdog
 * starts the board again. */
void clocks_start(void) {
  if (!clock_is_emulated()) {
    FLASH_ACR = 0x705;                                             /* 5 wait states, caches on */
    RCC_PLLCFGR = 8u | 168u << 6 | 0u << 16 | 7u << 24;            /* 16 MHz / 8 x 168 / 2; / 7 */
    RCC_CR |= 1u << 24;
    while (!(RCC_CR & 1u << 25)) {
    }
    RCC_CFGR = 5u << 10 | 4u << 13 | 2u; /* APB1 / 4, APB2 / 2, core from the PLL */
    while ((RCC_CFGR & 0xcu) != 0x8u) {
    }
  }
  RCC_AHB1ENR |= 3u;       /* ports A, B */
  RCC_AHB2ENR |= 1u << 6;  /* random numbers */
  RCC_APB1ENR |= 1u << 17 | 1u; /* USART2, TIM2 */
  RCC_APB2ENR |= 1u << 4;  /* USART1 */
  (void)RCC_APB2ENR;       /* a clock needs two cycles before the first access */

  /* Microseconds in TIM2, which has 32 bits. */
  TIM2_PSC = (clock_is_emulated() ? 1000000000u : 2 * APB1_CLOCK) / 1000000u - 1;
  TIM2_EGR = 1;
  TIM2_CR1 = 1;
  cortex_ticks_start(CORE_CLOCK);
}

uint32_t hal_now(void) { return TIM2_CNT; }
