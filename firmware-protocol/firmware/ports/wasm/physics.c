/* Lines whose physics are simulated as a whole by whoever instantiates this. */
#include "../../hal.h"
#include "wasm.h"

/* Writes into memory and returns the number of bytes. */
IMPORT("description") uint32_t host_description(uint8_t *payload);
IMPORT("fault") uint32_t host_fault(void);
IMPORT("linesToZero") void host_lines_to_zero(void);
IMPORT("pulse") void host_pulse(uint32_t array, uint32_t row, uint32_t column, int32_t code, uint32_t width);
IMPORT("readRow") void host_read_row(uint32_t array, uint32_t row, int32_t code, uint32_t samples, int16_t *counts);
IMPORT("multiply")
void host_multiply(uint32_t array, uint32_t range, uint32_t samples, const int16_t *codes, int16_t *counts);
IMPORT("reference")
int32_t host_reference(uint32_t row, uint32_t column, uint32_t reference, uint32_t range, uint32_t samples,
                       int32_t code);
IMPORT("neuronsBegin")
void host_neurons_begin(uint32_t pulses, const uint16_t *pulse_steps, const int16_t *drives);
IMPORT("neuronsSample") void host_neurons_sample(uint32_t samples, uint32_t decimation, int16_t *counts);

void port_start(void) {}

const ml_describe_reply *hal_description(void) {
  static uint8_t payload[ML_MAX_PAYLOAD];
  static ml_describe_reply description;
  /* A description that does not decode leaves a board that offers nothing. */
  if (!ml_get_describe_reply(&description, payload, host_description(payload)))
    description = (ml_describe_reply){0};
  return &description;
}

uint32_t hal_fault(void) { return host_fault(); }
void hal_lines_to_zero(void) { host_lines_to_zero(); }
void hal_pulse(uint8_t array, uint8_t row, uint8_t column, int16_t code, uint16_t width) {
  host_pulse(array, row, column, code, width);
}
/* The simulated board reads whole rows. */
int16_t hal_read_cell(uint8_t array, uint8_t row, uint8_t column, int16_t code, uint8_t samples) {
  static int16_t counts[256];
  host_read_row(array, row, code, samples, counts);
  return counts[column];
}
void hal_read_row(uint8_t array, uint8_t row, int16_t code, uint8_t samples, int16_t *counts) {
  host_read_row(array, row, code, samples, counts);
}
void hal_multiply(uint8_t array, uint8_t range, uint8_t samples, const int16_t *codes, int16_t *counts) {
  host_multiply(array, range, samples, codes, counts);
}
int16_t hal_reference(uint8_t row, uint8_t column, uint8_t reference, uint8_t range, uint8_t samples, int16_t code) {
  return (int16_t)host_reference(row, column, reference, range, samples, code);
}
void hal_neurons_begin(uint8_t pulses, const uint16_t *pulse_steps, const int16_t *drives) {
  host_neurons_begin(pulses, pulse_steps, drives);
}
void hal_neurons_sample(uint16_t samples, uint16_t decimation, int16_t *counts) {
  host_neurons_sample(samples, decimation, counts);
}
