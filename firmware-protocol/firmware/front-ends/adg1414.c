/* ADG1414 in a chain: eight switches each, latched together at the end of a frame. What they held before comes out of
 * the chain's end. */
#include "switches.h"

#include "bus.h"

_Static_assert(SWITCH_GROUPS <= BUS_MAX_FRAME, "the chain is one frame");

static switch_setting held;
static bool well;

static void exchange(const switch_setting *setting) {
  bus_frame frame = {.device = DEVICE_SWITCHES, .count = SWITCH_GROUPS};
  /* The last byte stays in the first chip of the chain. */
  for (uint32_t i = 0; i < SWITCH_GROUPS; i++) frame.bytes[SWITCH_GROUPS - 1 - i] = setting->group[i];
  bus_exchange(&frame);
  for (uint32_t i = 0; i < SWITCH_GROUPS; i++)
    if (frame.bytes[SWITCH_GROUPS - 1 - i] != held.group[i]) well = false;
  held = *setting;
}

bool switches_start(void) {
  static const switch_setting open;
  held = open;
  well = true;
  /* A line of data that is broken reads all zeros or all ones: the switches of the ranges carry a pattern. */
  switch_setting pattern = open;
  pattern.group[SWITCH_METER_RANGE] = 0xa5;
  exchange(&open);
  exchange(&pattern);
  exchange(&open);
  return well;
}

void switches_set(const switch_setting *setting) { exchange(setting); }

void switches_were_reset(void) { held = (switch_setting){{0}}; }

bool switches_answer(void) { return well; }
