/* The algorithm of front end A; which chips it is made of is said in ad5676.c, ads8688.c and adg1414.c.
 *
 * At rest all switches are open and all DACs at 0 V, which is the virtual ground. Every operation begins there and ends
 * there by the reset line, which needs no frame: so nothing that goes wrong on the bus leaves a line up. */
#include "crossbar-a.h"

#include "../hal.h"
#include "adc.h"
#include "bus.h"
#include "dac.h"
#include "switches.h"
#include "wiring.h"

#define ROWS FRONT_END_ROWS
#define COLUMNS FRONT_END_COLUMNS
#define ALL 0xffu

static const ml_describe_reply description = {
    .arrays = 1,
    .rows = ROWS,
    .columns = COLUMNS,
    .neurons = 0,
    .row_volts_per_count = ROW_VOLTS_PER_COUNT,
    .row_max_count = ROW_MAX_COUNT,
    .ranges = 2,
    .amps_per_count = {AMPS_PER_COUNT_0, AMPS_PER_COUNT_1},
    .current_max_count = CURRENT_MAX_COUNT,
    /* No neurons: the host runs them. */
    .drive_amps_per_count = 1.0f,
    .drive_max_count = 1,
    .membrane_volts_per_count = 1.0f,
    .membrane_max_count = 1,
    .step_time = 1.0f,
    .max_steps = 1,
    .series_resistance = SERIES_RESISTANCE,
    /* The larger of the two: the host is then careful enough with both. */
    .half_select = 1.0f / (BIAS_PARTS_UP < BIAS_PARTS_DOWN ? BIAS_PARTS_UP : BIAS_PARTS_DOWN),
    .max_voltage = MAX_VOLTAGE,
    .min_voltage = MIN_VOLTAGE,
    .max_read_voltage = MAX_READ_VOLTAGE,
    .read_time = READ_TIME,
    .min_width = MIN_WIDTH,
    .max_width = MAX_WIDTH,
    .max_energy = MAX_ENERGY,
    .max_pulses = MAX_PULSES,
    .dead_man_time = DEAD_MAN_TIME,
    .reference_count = 1,
    .references = {REFERENCE_RESISTANCE},
};

const ml_describe_reply *hal_description(void) { return &description; }

static uint32_t fault;

void hal_lines_to_zero(void) {
  bus_pin(PIN_LINES_ALIVE, false);
  bus_wait(RESET_US);
  bus_pin(PIN_LINES_ALIVE, true);
  switches_were_reset();
}

uint32_t hal_fault(void) {
  if (fault == FRONT_END_WELL) {
    if (!bus_pin_is_high(PIN_OVER_CURRENT)) fault = FRONT_END_OVER_CURRENT;
    else if (!switches_answer()) fault = FRONT_END_SWITCHES_SILENT;
  }
  return fault;
}

static uint8_t bit(uint8_t n) { return (uint8_t)(1u << n); }

/* Rounded to the nearest; `count` over 0. */
static int16_t quotient(int32_t sum, int32_t count) {
  int32_t half = count / 2;
  return (int16_t)((sum < 0 ? sum - half : sum + half) / count);
}

/* One channel moves, and nothing before its frame has ended. */
static void step(uint8_t line, int16_t code) {
  bus_frame frame = dac_step(line, code);
  bus_exchange(&frame);
}

/* ---- pulses. Rows rest at a part of the voltage, columns at what is left of it, and the selected column at 0 V; then the
 * selected row steps to the whole voltage and back. Two edges, and at each of them one channel moves. With three parts
 * every cell but the selected one sees a third, those that share no line with it the other way round. With two parts these
 * see nothing and the others a half. Which is better depends on the thresholds: docs/how-to/build-a-board.md. */

void hal_pulse(uint8_t array, uint8_t row, uint8_t column, int16_t code, uint16_t width) {
  (void)array;
  int16_t part = quotient(code, code > 0 ? BIAS_PARTS_UP : BIAS_PARTS_DOWN);
  int16_t rest = (int16_t)(code - part);
  switch_setting setting = {{0}};
  setting.group[SWITCH_COLUMN_TO_BIAS] = ALL;
  setting.group[SWITCH_ROW_DIRECT] = (uint8_t)~bit(row);
  setting.group[SWITCH_ROW_SERIES] = bit(row);
  bus_guard((uint32_t)width / 10u + 2000u);
  for (uint8_t r = 0; r < ROWS; r++) dac_write(DAC_ROW(r), part);
  for (uint8_t c = 0; c < COLUMNS; c++) dac_write(DAC_COLUMN(c), c == column ? 0 : rest);
  switches_set(&setting);
  dac_load();
  bus_wait(LINES_SETTLE_US);
  bus_frame up = dac_step(DAC_ROW(row), code);
  bus_frame down = dac_step(DAC_ROW(row), part);
  bus_edges(&up, &down, width);
  /* The line comes down before its switch opens. */
  bus_wait(LINES_SETTLE_US);
  hal_lines_to_zero();
  bus_guard(0);
}

/* ---- currents. All columns at the virtual ground of their meters. A row that is not driven floats to it, better than the
 * offset of its DAC would let it. */

static void meters(uint8_t range, uint8_t rows) {
  switch_setting setting = {{0}};
  setting.group[SWITCH_COLUMN_TO_METER] = ALL;
  setting.group[SWITCH_ROW_DIRECT] = rows;
  setting.group[SWITCH_METER_RANGE] = range == 0 ? 0 : ALL;
  switches_set(&setting);
}

/* Means of `samples` samples, when the lines have settled; then all lines to 0 V. */
static void measure(uint8_t first, uint8_t count, uint8_t samples, int16_t *counts) {
  int32_t sums[COLUMNS] = {0};
  bus_wait(READ_SETTLE_US);
  adc_sample(first, count, samples, sums);
  hal_lines_to_zero();
  for (uint8_t c = 0; c < count; c++) counts[c] = quotient(sums[c], samples);
}

int16_t hal_read_cell(uint8_t array, uint8_t row, uint8_t column, int16_t code, uint8_t samples) {
  (void)array;
  int16_t count;
  meters(0, bit(row));
  step(DAC_ROW(row), code);
  measure(column, 1, samples, &count);
  return count;
}

void hal_read_row(uint8_t array, uint8_t row, int16_t code, uint8_t samples, int16_t *counts) {
  (void)array;
  meters(0, bit(row));
  step(DAC_ROW(row), code);
  measure(0, COLUMNS, samples, counts);
}

void hal_multiply(uint8_t array, uint8_t range, uint8_t samples, const int16_t *codes, int16_t *counts) {
  (void)array;
  for (uint8_t r = 0; r < ROWS; r++) dac_write(DAC_ROW(r), codes[r]);
  meters(range, ALL);
  dac_load();
  measure(0, COLUMNS, samples, counts);
}

/* The crossbar is cut off on both sides; the resistor joins the driver of a row and the meter of a column. */
int16_t hal_reference(uint8_t row, uint8_t column, uint8_t reference, uint8_t range, uint8_t samples, int16_t code) {
  int16_t count;
  switch_setting setting = {{0}};
  setting.group[SWITCH_METER_RANGE] = range == 0 ? 0 : ALL;
  if (reference != ML_OPEN_PATH) {
    setting.group[SWITCH_ROW_TO_REFERENCE] = bit(row);
    setting.group[SWITCH_REFERENCE_TO_METER] = bit(column);
  }
  switches_set(&setting);
  step(DAC_ROW(row), code);
  measure(column, 1, samples, &count);
  return count;
}

/* This board has none, and says so: the core asks for nothing. */
void hal_neurons_begin(uint8_t pulses, const uint16_t *pulse_steps, const int16_t *drives) {
  (void)pulses;
  (void)pulse_steps;
  (void)drives;
}

void hal_neurons_sample(uint16_t samples, uint16_t decimation, int16_t *counts) {
  (void)samples;
  (void)decimation;
  (void)counts;
}

/* ---- start */

#define CHECK_CODE 655      /* 50 mV: no cell moves at it */
#define OPEN_COUNT 100      /* 80 nA: more than the offset of a meter, less than a cell at its lowest */
#define CHECK_SAMPLES 8u

static bool is_near(int32_t count, int32_t wanted, int32_t off) { return count >= wanted - off && count <= wanted + off; }

/* Columns, one bit each, whose meters show a current with every DAC at `code` and only the meters connected. */
static uint8_t currents(int16_t code) {
  int16_t counts[COLUMNS];
  for (uint8_t r = 0; r < ROWS; r++) dac_write(DAC_ROW(r), code);
  for (uint8_t c = 0; c < COLUMNS; c++) dac_write(DAC_COLUMN(c), code);
  switch_setting setting = {{0}};
  setting.group[SWITCH_COLUMN_TO_METER] = ALL;
  switches_set(&setting);
  dac_load();
  measure(0, COLUMNS, CHECK_SAMPLES, counts);
  uint8_t columns = 0;
  for (uint8_t c = 0; c < COLUMNS; c++)
    if (!is_near(counts[c], 0, OPEN_COUNT)) columns |= bit(c);
  return columns;
}

/* Every row's driver and every column's meter, through the reference resistor: within a tenth of what they should show. */
static bool reference_is_off(void) {
  const int32_t wanted = (int32_t)(CHECK_CODE * (ROW_VOLTS_PER_COUNT / REFERENCE_RESISTANCE / AMPS_PER_COUNT_0));
  for (uint8_t n = 0; n < ROWS || n < COLUMNS; n++) {
    uint8_t row = n < ROWS ? n : 0, column = n < COLUMNS ? n : 0;
    if (!is_near(hal_reference(row, column, 0, 0, CHECK_SAMPLES, CHECK_CODE), wanted, wanted / 10)) return true;
  }
  return false;
}

static uint32_t check(void) {
  if (!bus_pin_is_high(PIN_OVER_CURRENT)) return FRONT_END_OVER_CURRENT;
  if (!switches_start()) return FRONT_END_SWITCHES_SILENT;
  if (!dac_start()) return FRONT_END_DAC_SILENT;
  if (!adc_start()) return FRONT_END_ADC_SILENT;
  /* With nothing to drive them, currents in all meters are an error of their reference; then any is that of a switch which
   * does not open. */
  if (currents(0) == ALL) return FRONT_END_REFERENCE_OFF;
  if (currents(CHECK_CODE) != 0) return FRONT_END_SWITCH_STUCK;
  if (reference_is_off()) return FRONT_END_REFERENCE_OFF;
  return FRONT_END_WELL;
}

void front_end_start(void) {
  fault = FRONT_END_WELL;
  bus_pin(PIN_LOAD_DACS, true);
  hal_lines_to_zero();
  fault = check();
  hal_lines_to_zero();
}
