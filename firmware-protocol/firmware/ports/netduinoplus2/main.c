/* The firmware on an STM32F405: pins, the link to the host, and the main loop. */
#include "../../core.h"
#include "../cortex-m/cortex-m.h"
#include "clock.h"
#include "front-end.h"
#include "uart.h"

#define BAUD 921600u

#define GPIOA 0x40020000u
#define GPIOB 0x40020400u

/* A pin below 8 to alternate function 7, the UARTs. */
static void pin_to_uart(uint32_t port, uint32_t pin) {
  REGISTER(port + 0x20) = (REGISTER(port + 0x20) & ~(0xfu << 4 * pin)) | 7u << 4 * pin;
  REGISTER(port + 0x0c) = (REGISTER(port + 0x0c) & ~(3u << 2 * pin)) | 1u << 2 * pin; /* pulled up: no noise */
  REGISTER(port + 0x00) = (REGISTER(port + 0x00) & ~(3u << 2 * pin)) | 2u << 2 * pin;
}

static bool host_has_spoken(void) { return ring_count(&host_uart.in) > 0; }

int main(void) {
  watchdog_start();
  clocks_start();
  pin_to_uart(GPIOB, 6);
  pin_to_uart(GPIOB, 7);
  pin_to_uart(GPIOA, 2);
  pin_to_uart(GPIOA, 3);
  uart_start(&host_uart, APB2_CLOCK, BAUD, clock_is_emulated());
  uart_start(&front_end_uart, APB1_CLOCK, BAUD, clock_is_emulated());
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
