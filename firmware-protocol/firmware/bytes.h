/* Little-endian numbers in byte buffers, at any alignment, and text. */
#ifndef MEMLOOP_BYTES_H
#define MEMLOOP_BYTES_H

#include <stdbool.h>
#include <stdint.h>

static inline uint16_t get_u16(const uint8_t *b) { return (uint16_t)(b[0] | (uint16_t)(b[1] << 8)); }

static inline uint32_t get_u32(const uint8_t *b) {
  return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static inline void put_u16(uint8_t *b, uint16_t v) {
  b[0] = (uint8_t)v;
  b[1] = (uint8_t)(v >> 8);
}

static inline void put_u32(uint8_t *b, uint32_t v) {
  put_u16(b, (uint16_t)v);
  put_u16(b + 2, (uint16_t)(v >> 16));
}

typedef union {
  float f;
  uint32_t u;
} float_bits;

static inline float get_f32(const uint8_t *b) {
  float_bits bits = {.u = get_u32(b)};
  return bits.f;
}

static inline void put_f32(uint8_t *b, float v) {
  float_bits bits = {.f = v};
  put_u32(b, bits.u);
}

static inline bool is_finite(float v) {
  float_bits bits = {.f = v};
  return (bits.u & 0x7f800000u) != 0x7f800000u;
}

static inline void copy_text(char *to, const char *from, uint32_t max) {
  uint32_t count = 0;
  for (; count < max && from[count]; count++) to[count] = from[count];
  to[count] = 0;
}

#endif
