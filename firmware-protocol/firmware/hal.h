/* What the firmware core needs of the machine it runs on. A port implements
 * these functions and calls ml_boot, ml_receive and ml_poll (core.h). */
#ifndef MEMLOOP_HAL_H
#define MEMLOOP_HAL_H

#include <stdint.h>

#include "protocol.h"

/* The board's fixed properties, read once at boot. */
const ml_describe_reply *hal_description(void);
const char *hal_firmware_version(void);
const char *hal_board_serial(void);
const char *hal_array_serial(uint8_t array);

/* Microseconds, wrapping; only differences are used. */
uint32_t hal_now(void);
/* Read once at boot, for the boot id: must differ from boot to boot, for on it rests that no request of before
 * a reset is executed after it. A random number, or a count kept in flash. */
uint32_t hal_entropy(void);

/* Bytes to the host. hal_transmit is called with at most hal_transmit_space() bytes. */
uint32_t hal_transmit_space(void);
void hal_transmit(const uint8_t *bytes, uint32_t count);

/* 0 while the analog front end is well, else its code of what is wrong (over-current, over-temperature, …):
 * all lines are then kept at 0 V and nothing is done with them. */
uint32_t hal_fault(void);

/* All row and column lines and neuron drives to 0 V. */
void hal_lines_to_zero(void);

/* Codes and widths (in 1e-7 s) are within the described limits: the core has checked them. */
void hal_pulse(uint8_t array, uint8_t row, uint8_t column, int16_t code, uint16_t width);
/* Current of one cell, range 0. */
int16_t hal_read_cell(uint8_t array, uint8_t row, uint8_t column, int16_t code, uint8_t samples);
/* counts[columns]: currents of the row's cells, range 0. */
void hal_read_row(uint8_t array, uint8_t row, int16_t code, uint8_t samples, int16_t *counts);
/* codes[rows] -> counts[columns]. */
void hal_multiply(uint8_t array, uint8_t range, uint8_t samples, const int16_t *codes, int16_t *counts);
int16_t hal_reference(uint8_t row, uint8_t column, uint8_t reference, uint8_t range, uint8_t samples,
                      int16_t code);

/* Neurons to rest, stimulus loaded: drives[pulses x neurons] at pulse_steps[pulses]. */
void hal_neurons_begin(uint8_t pulses, const uint16_t *pulse_steps, const int16_t *drives);
/* Runs on and samples: counts[samples x neurons], one sample after every `decimation` steps. */
void hal_neurons_sample(uint16_t samples, uint16_t decimation, int16_t *counts);

#endif
