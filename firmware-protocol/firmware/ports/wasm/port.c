/* The firmware as WebAssembly: the machine is whoever instantiates it (src/virtual-board/firmware.ts). One
 * instance is one board. What has to do with lines is in physics.c, or in a front end over bus.c. */
#include "../../core.h"
#include "../../hal.h"
#include "wasm.h"

/* Each writes into memory and returns the number of bytes. */
IMPORT("firmwareVersion") uint32_t host_firmware_version(char *text, uint32_t max);
IMPORT("boardSerial") uint32_t host_board_serial(char *text, uint32_t max);
IMPORT("arraySerial") uint32_t host_array_serial(uint32_t array, char *text, uint32_t max);
IMPORT("now") uint32_t host_now(void);
IMPORT("entropy") uint32_t host_entropy(void);
IMPORT("transmitSpace") uint32_t host_transmit_space(void);
IMPORT("transmit") void host_transmit(const uint8_t *bytes, uint32_t count);

#define TEXT_SIZE 64u
static char text[TEXT_SIZE];

static const char *ended(uint32_t count) {
  text[count < TEXT_SIZE ? count : TEXT_SIZE - 1] = 0;
  return text;
}

const char *hal_firmware_version(void) { return ended(host_firmware_version(text, TEXT_SIZE - 1)); }
const char *hal_board_serial(void) { return ended(host_board_serial(text, TEXT_SIZE - 1)); }
const char *hal_array_serial(uint8_t array) { return ended(host_array_serial(array, text, TEXT_SIZE - 1)); }

uint32_t hal_now(void) { return host_now(); }
uint32_t hal_entropy(void) { return host_entropy(); }
uint32_t hal_transmit_space(void) { return host_transmit_space(); }
void hal_transmit(const uint8_t *bytes, uint32_t count) { host_transmit(bytes, count); }

/* Bytes from the host are put here before `receive`. */
static uint8_t received[16384];

EXPORT("received") uint8_t *port_received(void) { return received; }
EXPORT("receivedSize") uint32_t port_received_size(void) { return sizeof received; }
EXPORT("boot") void port_boot(void) {
  port_start();
  ml_boot();
}
EXPORT("receive") void port_receive(uint32_t count) {
  ml_receive(received, count < sizeof received ? count : sizeof received);
}
EXPORT("poll") bool port_poll(void) { return ml_poll(); }
