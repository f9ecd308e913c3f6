/* What the core asks of the board; the front end's part is in front-end.c, the clock in clock.c. */
#include "../../hal.h"

#include "../cortex-m/cortex-m.h"
#include "front-end.h"
#include "uart.h"

#define RNG_CR REGISTER(0x50060800)
#define RNG_SR REGISTER(0x50060804)
#define RNG_DR REGISTER(0x50060808)

const char *hal_firmware_version(void) { return "0.1.0-netduinoplus2"; }

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
