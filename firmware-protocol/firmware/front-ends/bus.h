/* What a front end needs of the machine it runs on: frames on a serial bus, pins, time. A port implements these
 * functions; nothing here knows of registers. */
#ifndef MEMLOOP_BUS_H
#define MEMLOOP_BUS_H

#include <stdbool.h>
#include <stdint.h>

#define BUS_MAX_FRAME 8u

/* Bytes that go to a device while it is selected, the most significant first. */
typedef struct {
  uint8_t device; /* DEVICE_... of wiring.h */
  uint8_t count;
  uint8_t bytes[BUS_MAX_FRAME];
} bus_frame;

/* Sends a frame; `bytes` are then what came back. When it returns the device is no longer selected. */
void bus_exchange(bus_frame *frame);
/* PIN_... of wiring.h. */
void bus_pin(uint8_t pin, bool high);
bool bus_pin_is_high(uint8_t pin);
/* At least so many microseconds. */
void bus_wait(uint32_t microseconds);
/* Two frames, the end of the second `width` (1e-7 s) after the end of the first, to within 0.1 µs: by a timer,
 * with nothing in between that could make it late. */
void bus_edges(const bus_frame *first, const bus_frame *second, uint32_t width);
/* From now on: if the firmware hangs for longer than this, a hardware timer resets the machine and with it the
 * pins. 0: the usual time of the main loop. */
void bus_guard(uint32_t microseconds);

#endif
