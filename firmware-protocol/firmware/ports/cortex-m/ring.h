/* Bytes between an interrupt and the main loop: one side puts, the other takes. Sizes are powers of two. */
#ifndef MEMLOOP_RING_H
#define MEMLOOP_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
  uint8_t *bytes;
  uint32_t size;
  _Atomic uint32_t put, taken; /* counted since the start */
} ring;

#define RING(SIZE) \
  { .bytes = (uint8_t[SIZE]){0}, .size = (SIZE) }

static inline uint32_t ring_count(ring *r) {
  return atomic_load_explicit(&r->put, memory_order_acquire) - atomic_load_explicit(&r->taken, memory_order_acquire);
}

static inline uint32_t ring_space(ring *r) { return r->size - ring_count(r); }

/* False if it is full. */
static inline bool ring_put(ring *r, uint8_t byte) {
  if (ring_space(r) == 0) return false;
  uint32_t put = atomic_load_explicit(&r->put, memory_order_relaxed);
  r->bytes[put & (r->size - 1)] = byte;
  atomic_store_explicit(&r->put, put + 1, memory_order_release);
  return true;
}

/* False if it is empty. */
static inline bool ring_take(ring *r, uint8_t *byte) {
  if (ring_count(r) == 0) return false;
  uint32_t taken = atomic_load_explicit(&r->taken, memory_order_relaxed);
  *byte = r->bytes[taken & (r->size - 1)];
  atomic_store_explicit(&r->taken, taken + 1, memory_order_release);
  return true;
}

#endif
