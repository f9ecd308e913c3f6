/* The firmware on an STM32F405: clocks, pins, watchdog, the link to the host, and the main loop. */
#include "../../core.h"
#include "../../hal.h"
#include "../cortex-m/cortex-m.h"
#include "front-end.h"
#include "uart.h"

#define BAUD 921600u

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
#define RNG_CR REGISTER(0x50060800)
#define RNG_SR REGISTER(0x50060804)
#define RNG_DR REGISTER(0x50060808)
#define TIM2 0x40000000u
#define TIM2_CR1 REGISTER(TIM2 + 0x00)
#define TIM2_EGR REGISTER(TIM2 + 0x14)
#define TIM2_CNT REGISTER(TIM2 + 0x24)
#define TIM2_PSC REGISTER(TIM2 + 0x28)
#define GPIOA 0x40020000u
#define GPIOB 0x40020400u

#define CORE_CLOCK 168000000u
#define APB1_CLOCK (CORE_CLOCK / 4)
#define APB2_CLOCK (CORE_CLOCK / 2)

/* One second of the 32 kHz oscillator. QEMU 7.2 has no such watchdog: there these are writes to nothing. */
static void watchdog_start(void) {
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
static bool is_emulated(void) { return (RCC_CR & 2u) == 0; }

/* 168 MHz from the internal 16 MHz oscillator, 48 MHz for the random numbers. If it does not come, the watchdog
 * starts the board again. */
static void clocks_start(void) {
  if (!is_emulated()) {
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
  TIM2_PSC = (is_emulated() ? 1000000000u : 2 * APB1_CLOCK) / 1000000u - 1;
  TIM2_EGR = 1;
  TIM2_CR1 = 1;
  cortex_ticks_start(CORE_CLOCK);
}

/* A pin below 8 to alternate function 7, the UARTs. */
static void pin_to_uart(uint32_t port, uint32_t pin) {
  REGISTER(port + 0x20) = (REGISTER(port + 0x20) & ~(0xfu << 4 * pin)) | 7u << 4 * pin;
  REGISTER(port + 0x0c) = (REGISTER(port + 0x0c) & ~(3u << 2 * pin)) | 1u << 2 * pin; /* pulled up: no noise */
  REGISTER(port + 0x00) = (REGISTER(port + 0x00) & ~(3u << 2 * pin)) | 2u << 2 * pin;
}

/* ---- what the core asks for; the front end's part is in front-end.c */

const char *hal_firmware_version(void) { return "0.1.0-netduinoplus2"; }

uint32_t hal_now(void) { return TIM2_CNT; }

/* The chip's generator; the reference manual wants the first number thrown away and faults heeded. */
static bool random_number(uint32_t *number) {
  RNG_CR = 4;
  for (uint32_t take = 0; take < 2; take++) {
    uint32_t patience = 100000;
    while (!(RNG_SR & 1u) && --patience > 0) {
    }
    if (patience == 0 || RNG_SR & 6u) return false;
    *number = RNG_DR;
  }
  return true;
}

uint32_t hal_entropy(void) {
  uint32_t number;
  return random_number(&number) ? number : front_end_entropy(); /* QEMU has no generator */
}

uint32_t hal_transmit_space(void) { return ring_space(&host_uart.out); }

void hal_transmit(const uint8_t *bytes, uint32_t count) {
  front_end_finish();
  uart_write(&host_uart, bytes, count);
}

/* ---- start and main loop */

static bool host_has_spoken(void) { return ring_count(&host_uart.in) > 0; }

int main(void) {
  watchdog_start();
  clocks_start();
  pin_to_uart(GPIOB, 6);
  pin_to_uart(GPIOB, 7);
  pin_to_uart(GPIOA, 2);
  pin_to_uart(GPIOA, 3);
  uart_start(&host_uart, APB2_CLOCK, BAUD, is_emulated());
  uart_start(&front_end_uart, APB1_CLOCK, BAUD, is_emulated());
  front_end_start();
  ml_boot();
  for (;;) {
    watchdog_feed();
    /* All that has come, before the next piece of work: a Stop among it must not wait for what is before it. */
    uint8_t bytes[64];
    uint32_t count, received = 0;
    while (received < host_uart.in.size && (count = uart_read(&host_uart, bytes, sizeof bytes)) > 0) {
      ml_receive(bytes, count);
      received += count;
    }
    if (!ml_poll() && received == 0) cortex_sleep_unless(host_has_spoken);
  }
}

#define VECTORS (16 + 82)
__attribute__((section(".vectors"), used)) static void (*const vectors[VECTORS])(void) = {
    (void (*)(void))stack_top,
    cortex_reset,
    [2 ... 14] = cortex_fault,
    [15] = cortex_tick,
    [16 ... 52] = cortex_fault,
    [16 + 37] = host_uart_interrupt,
    [16 + 38] = front_end_uart_interrupt,
    [55 ... VECTORS - 1] = cortex_fault,
};
