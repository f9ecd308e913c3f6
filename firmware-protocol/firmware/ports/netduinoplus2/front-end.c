/* The analog front end of this port is simulated elsewhere (src/virtual-board/qemu/board.ts), at the other end of the
 * second UART. Every function of hal.h that a real board would do with converters is a call: a frame as on the
 * host link, with the board's clock in place of the session and its own count as sequence number, which is sent
 * again until the reply with that number is there; the far side executes each number once. */
#include "front-end.h"

#include "../../bytes.h"
#include "../../frame.h"
#include "../../hal.h"
#include "../cortex-m/cortex-m.h"
#include "clock.h"
#include "uart.h"

enum {
  DESCRIBE = 0x20,
  BOARD_SERIAL,
  ARRAY_SERIAL,
  ENTROPY,
  STATUS,
  LINES_TO_ZERO,
  PULSES,
  READ_CELL,
  READ_ROW,
  MULTIPLY,
  REFERENCE,
  NEURONS_BEGIN,
  NEURONS_SAMPLE,
};

/* Ticks, that is milliseconds. */
#define REPEAT_AFTER 200u
#define GIVE_UP_AFTER 10000u
#define FAULT_IS_OLD_AFTER 20u

/* Pulses have no answer but that they were made, so they wait for the next call, or for something to be said to
 * the host, and go together. */
#define PULSE_SIZE 7u
static uint8_t pulses[24 * PULSE_SIZE];
static uint32_t pulse_bytes;

static uint8_t call[ML_MAX_PAYLOAD]; /* the arguments */
static uint8_t frame[ML_MAX_FRAME];
static ml_decoder decoder; /* its body is the reply */
static uint32_t sequence;
static uint32_t fault; /* as the last reply told it */
static uint32_t heard_at;

static bool has_reply(void) { return ring_count(&front_end_uart.in) > 0; }

/* Whether the reply to the call under way has come. */
static bool receive(uint8_t type, uint32_t *length) {
  uint8_t byte;
  ml_header header;
  while (ring_take(&front_end_uart.in, &byte)) {
    if (ml_frame_decode(&decoder, byte, &header, length) != ML_FRAME) continue;
    if (header.type != (type | 0x80u) || header.sequence != sequence) continue;
    fault = header.session;
    heard_at = cortex_ticks();
    return true;
  }
  return false;
}

/* Gives the reply. What a front end that stays silent has done is not known: the board starts again, and so the
 * host learns that its request is unknown. */
static const uint8_t *send(uint8_t type, const uint8_t *arguments, uint32_t argument_bytes, uint32_t *length) {
  uint32_t begun = cortex_ticks();
  sequence++;
  while (cortex_ticks() - begun < GIVE_UP_AFTER) {
    watchdog_feed();
    uint32_t sent = cortex_ticks();
    uint32_t count = ml_frame_encode((ml_header){type, hal_now(), sequence}, arguments, argument_bytes,
                                     ML_PROTOCOL_HASH, frame);
    if (count <= ring_space(&front_end_uart.out)) uart_write(&front_end_uart, frame, count);
    while (cortex_ticks() - sent < REPEAT_AFTER) {
      if (receive(type, length)) return decoder.body + ML_HEADER_SIZE;
      cortex_sleep_unless(has_reply);
    }
  }
  cortex_restart();
}

void front_end_finish(void) {
  if (pulse_bytes == 0) return;
  uint32_t length;
  send(PULSES, pulses, pulse_bytes, &length);
  if (length != 0) cortex_restart();
  pulse_bytes = 0;
}

static const uint8_t *ask(uint8_t type, uint32_t argument_bytes, uint32_t *length) {
  front_end_finish();
  return send(type, call, argument_bytes, length);
}

/* For replies of a known length. */
static const uint8_t *ask_for(uint8_t type, uint32_t argument_bytes, uint32_t expected) {
  uint32_t length;
  const uint8_t *reply = ask(type, argument_bytes, &length);
  if (length != expected) cortex_restart();
  return reply;
}

static const char *ask_text(uint8_t type, uint32_t argument_bytes) {
  static char text[33];
  uint32_t length;
  const char *reply = (const char *)ask(type, argument_bytes, &length);
  copy_text(text, reply, length < sizeof text ? length : sizeof text - 1);
  return text;
}

static void get_counts(int16_t *counts, const uint8_t *reply, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) counts[i] = (int16_t)get_u16(reply + 2 * i);
}

static void put_codes(uint8_t *to, const int16_t *codes, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) put_u16(to + 2 * i, (uint16_t)codes[i]);
}

static ml_describe_reply description;

void front_end_start(void) {
  ml_frame_boot();
  decoder.hash = ML_PROTOCOL_HASH;
  uint32_t length;
  const uint8_t *reply = ask(DESCRIBE, 0, &length);
  if (!ml_get_describe_reply(&description, reply, length)) cortex_restart();
}

uint32_t front_end_entropy(void) { return get_u32(ask_for(ENTROPY, 0, 4)); }

const ml_describe_reply *hal_description(void) { return &description; }

const char *hal_board_serial(void) { return ask_text(BOARD_SERIAL, 0); }

const char *hal_array_serial(uint8_t array) {
  call[0] = array;
  return ask_text(ARRAY_SERIAL, 1);
}

uint32_t hal_fault(void) {
  if (cortex_ticks() - heard_at >= FAULT_IS_OLD_AFTER) {
    put_u32(call, cortex_stack_used());
    ask_for(STATUS, 4, 0);
  }
  return fault;
}

void hal_lines_to_zero(void) { ask_for(LINES_TO_ZERO, 0, 0); }

void hal_pulse(uint8_t array, uint8_t row, uint8_t column, int16_t code, uint16_t width) {
  if (pulse_bytes == sizeof pulses) front_end_finish();
  uint8_t *pulse = pulses + pulse_bytes;
  pulse_bytes += PULSE_SIZE;
  pulse[0] = array;
  pulse[1] = row;
  pulse[2] = column;
  put_u16(pulse + 3, (uint16_t)code);
  put_u16(pulse + 5, width);
}

int16_t hal_read_cell(uint8_t array, uint8_t row, uint8_t column, int16_t code, uint8_t samples) {
  call[0] = array;
  call[1] = row;
  call[2] = column;
  put_u16(call + 3, (uint16_t)code);
  call[5] = samples;
  return (int16_t)get_u16(ask_for(READ_CELL, 6, 2));
}

void hal_read_row(uint8_t array, uint8_t row, int16_t code, uint8_t samples, int16_t *counts) {
  call[0] = array;
  call[1] = row;
  put_u16(call + 2, (uint16_t)code);
  call[4] = samples;
  get_counts(counts, ask_for(READ_ROW, 5, 2u * description.columns), description.columns);
}

void hal_multiply(uint8_t array, uint8_t range, uint8_t samples, const int16_t *codes, int16_t *counts) {
  call[0] = array;
  call[1] = range;
  call[2] = samples;
  put_codes(call + 3, codes, description.rows);
  get_counts(counts, ask_for(MULTIPLY, 3 + 2u * description.rows, 2u * description.columns), description.columns);
}

int16_t hal_reference(uint8_t row, uint8_t column, uint8_t reference, uint8_t range, uint8_t samples, int16_t code) {
  call[0] = row;
  call[1] = column;
  call[2] = reference;
  call[3] = range;
  call[4] = samples;
  put_u16(call + 5, (uint16_t)code);
  return (int16_t)get_u16(ask_for(REFERENCE, 7, 2));
}

void hal_neurons_begin(uint8_t pulses, const uint16_t *pulse_steps, const int16_t *drives) {
  uint32_t count = (uint32_t)pulses * description.neurons;
  call[0] = pulses;
  for (uint32_t i = 0; i < pulses; i++) put_u16(call + 1 + 2 * i, pulse_steps[i]);
  put_codes(call + 1 + 2u * pulses, drives, count);
  ask_for(NEURONS_BEGIN, 1 + 2u * pulses + 2 * count, 0);
}

void hal_neurons_sample(uint16_t samples, uint16_t decimation, int16_t *counts) {
  uint32_t count = (uint32_t)samples * description.neurons;
  put_u16(call, samples);
  put_u16(call + 2, decimation);
  get_counts(counts, ask_for(NEURONS_SAMPLE, 4, 2 * count), count);
}
