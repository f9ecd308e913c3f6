/* Two AD5676R: eight channels of 16 bits for the rows, eight for the columns. A frame of 24 bits is command << 20 |
 * channel << 16 | code, taken at its end. */
#include "dac.h"
#include "wiring.h"

enum { WRITE = 1, WRITE_AND_LOAD = 3, READ_BACK = 9 };

#define ZERO 0x8000u /* the middle of the scale is the virtual ground */

static bus_frame frame_of(uint8_t line, uint8_t command, uint16_t code) {
  bool row = line < FRONT_END_ROWS;
  uint8_t channel = (uint8_t)(row ? line : line - FRONT_END_ROWS);
  return (bus_frame){
      .device = row ? DEVICE_ROW_DAC : DEVICE_COLUMN_DAC,
      .count = 3,
      .bytes = {(uint8_t)(command << 4 | channel), (uint8_t)(code >> 8), (uint8_t)code},
  };
}

static uint16_t code_of(int16_t steps) { return (uint16_t)((int32_t)ZERO + steps); }

/* What was written last to a channel; the answer comes with the frame after the question. */
static uint16_t read_back(uint8_t line) {
  bus_frame frame = frame_of(line, READ_BACK, 0);
  bus_exchange(&frame);
  bus_frame nothing = {.device = frame.device, .count = 3};
  bus_exchange(&nothing);
  return (uint16_t)(nothing.bytes[1] << 8 | nothing.bytes[2]);
}

static void step(uint8_t line, int16_t code) {
  bus_frame frame = dac_step(line, code);
  bus_exchange(&frame);
}

/* Outputs may move here: all switches are open. */
bool dac_start(void) {
  const uint8_t lines[] = {DAC_ROW(0), DAC_COLUMN(0)};
  for (uint32_t i = 0; i < sizeof lines; i++) {
    if (read_back(lines[i]) != ZERO) return false;
    step(lines[i], 0x1234);
    if (read_back(lines[i]) != code_of(0x1234)) return false;
    step(lines[i], 0);
  }
  return true;
}

void dac_write(uint8_t line, int16_t code) {
  bus_frame frame = frame_of(line, WRITE, code_of(code));
  bus_exchange(&frame);
}

void dac_load(void) {
  bus_pin(PIN_LOAD_DACS, false);
  bus_pin(PIN_LOAD_DACS, true);
}

bus_frame dac_step(uint8_t line, int16_t code) { return frame_of(line, WRITE_AND_LOAD, code_of(code)); }
