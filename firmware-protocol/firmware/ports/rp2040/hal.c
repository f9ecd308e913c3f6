/* What the core asks of the board; its lines are the front end's, its clock is in clock.c. */
#include "../../hal.h"

#include "../../bytes.h"
#include "chip.h"
#include "flash-id.h"
#include "hal-start.h"
#include "uart.h"

#define ROSC_RANDOM REGISTER(0x4006001c)

static char board_serial[] = "PICO-0000000000000000";
static char array_serial[] = "PICO-0000000000000000-A0";

void hal_start(void) {
  uint8_t id[8];
  flash_id(id);
  for (uint32_t i = 0; i < 2 * sizeof id; i++)
    board_serial[5 + i] = "0123456789ABCDEF"[id[i / 2] >> (i % 2 == 0 ? 4 : 0) & 0xf];
  for (uint32_t i = 0; i + 1 < sizeof board_serial; i++) array_serial[i] = board_serial[i];
}

const char *hal_firmware_version(void) { return "0.1.0-pico"; }
const char *hal_board_serial(void) { return board_serial; }
const char *hal_array_serial(uint8_t array) {
  (void)array;
  return array_serial;
}

/* Bits of a free-running oscillator, some microseconds apart, many for each that is used. */
uint32_t hal_entropy(void) {
  uint32_t mixed = 0;
  for (uint32_t i = 0; i < 512; i++) {
    mixed = (mixed ^ (ROSC_RANDOM & 1u)) * 0x01000193u;
    mixed = (mixed << 7 | mixed >> 25) ^ TIMER_NOW;
  }
  return mixed;
}

uint32_t hal_transmit_space(void) { return ring_space(&uart_out); }

void hal_transmit(const uint8_t *bytes, uint32_t count) { uart_write(bytes, count); }
