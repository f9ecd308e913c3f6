/* A front end's bus, imported: what is at its other end are models of chips (src/virtual-board/pico/). */
#include "../../front-ends/bus.h"
#include "../../front-ends/crossbar-a.h"
#include "wasm.h"

IMPORT("exchange") void host_exchange(uint32_t device, uint8_t *bytes, uint32_t count);
IMPORT("pin") void host_pin(uint32_t pin, uint32_t high);
IMPORT("pinIsHigh") uint32_t host_pin_is_high(uint32_t pin);
IMPORT("wait") void host_wait(uint32_t microseconds);
/* Until `width` (1e-7 s) after the end of the last frame, less what a frame like it takes. */
IMPORT("waitForEdge") void host_wait_for_edge(uint32_t width, uint32_t count);

void port_start(void) { front_end_start(); }

void bus_exchange(bus_frame *frame) { host_exchange(frame->device, frame->bytes, frame->count); }
void bus_pin(uint8_t pin, bool high) { host_pin(pin, high); }
bool bus_pin_is_high(uint8_t pin) { return host_pin_is_high(pin) != 0; }
void bus_wait(uint32_t microseconds) { host_wait(microseconds); }
void bus_edges(const bus_frame *first, const bus_frame *second, uint32_t width) {
  bus_frame frame = *first;
  bus_exchange(&frame);
  host_wait_for_edge(width, second->count);
  frame = *second;
  bus_exchange(&frame);
}
/* Nothing here hangs. */
void bus_guard(uint32_t microseconds) { (void)microseconds; }
