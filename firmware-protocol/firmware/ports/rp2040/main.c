/* The firmware on an RP2040 (Raspberry Pi Pico): start and main loop. */
#include "../../core.h"
#include "../../front-ends/crossbar-a.h"
#include "../cortex-m/cortex-m.h"
#include "bus-start.h"
#include "clock.h"
#include "hal-start.h"
#include "pins.h"
#include "uart.h"

static bool host_has_spoken(void) { return ring_count(&uart_in) > 0; }

int main(void) {
  pins_start();
  clocks_start();
  hal_start();
  bus_start();
  uart_start();
  front_end_start();
  ml_boot();
  for (;;) {
    watchdog_feed();
    /* All that has come, before the next piece of work: a Stop among it must not wait for what is before it. */
    uint8_t bytes[64];
    uint32_t count, received = 0;
    while (received < uart_in.size && (count = uart_read(bytes, sizeof bytes)) > 0) {
      ml_receive(bytes, count);
      received += count;
    }
    if (!ml_poll() && received == 0) cortex_sleep_unless(host_has_spoken);
  }
}
