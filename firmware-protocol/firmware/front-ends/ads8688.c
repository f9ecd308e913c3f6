/* ADS8688: eight channels of 16 bits. A frame of 32 bits has the command in its first half; its second half brings the
 * sample of the channel that the frame before asked for, taken as this one begins. The meters invert, around the
 * virtual ground of 2.5 V: zero current is 32000 counts of 5.12 V / 2^16. */
#include "adc.h"
#include "bus.h"
#include "wiring.h"

#define CHANNEL(N) (0xc000u | (uint32_t)(N) << 10)
#define NOTHING 0u
/* Registers, in frames of 24 bits: address << 9 | write << 8 | value; a read answers in the last 8 bits. */
#define RANGE_REGISTER(N) (uint8_t)(0x05u + (N))
#define RANGE_0_TO_5V12 6u
#define ZERO 32000

static uint8_t access(uint8_t address, bool write, uint8_t value) {
  bus_frame frame = {
      .device = DEVICE_ADC,
      .count = 3,
      .bytes = {(uint8_t)((uint32_t)address << 1 | (write ? 1u : 0u)), value, 0},
  };
  bus_exchange(&frame);
  return frame.bytes[2];
}

static uint16_t exchange(uint32_t command) {
  bus_frame frame = {.device = DEVICE_ADC, .count = 4, .bytes = {(uint8_t)(command >> 8), (uint8_t)command, 0, 0}};
  bus_exchange(&frame);
  return (uint16_t)(frame.bytes[2] << 8 | frame.bytes[3]);
}

bool adc_start(void) {
  bool good = true;
  for (uint32_t channel = 0; channel < FRONT_END_COLUMNS; channel++) {
    access(RANGE_REGISTER(channel), true, RANGE_0_TO_5V12);
    good = access(RANGE_REGISTER(channel), false, 0) == RANGE_0_TO_5V12 && good;
  }
  return good;
}

void adc_sample(uint8_t first, uint8_t count, uint32_t samples, int32_t *sums) {
  uint32_t left = samples * count;
  uint8_t asked = 0, answered = 0;
  exchange(CHANNEL(first));
  for (uint32_t n = 0; n < left; n++) {
    asked = (uint8_t)(asked + 1u == count ? 0 : asked + 1u);
    int32_t counts = ZERO - (int32_t)exchange(n + 1 < left ? CHANNEL(first + asked) : NOTHING);
    if (counts < -CURRENT_MAX_COUNT) counts = -CURRENT_MAX_COUNT;
    sums[answered] += counts;
    answered = asked;
  }
}
