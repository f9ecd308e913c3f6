/* The switches between converters and lines. Another part is another file that implements this. */
#ifndef MEMLOOP_SWITCHES_H
#define MEMLOOP_SWITCHES_H

#include <stdbool.h>
#include <stdint.h>

#include "wiring.h"

/* Bit n of a group closes its switch n. */
typedef struct {
  uint8_t group[SWITCH_GROUPS];
} switch_setting;

/* After a reset of the chips, which opens all switches. False if they do not answer. */
bool switches_start(void);
/* All at once. */
void switches_set(const switch_setting *setting);
/* The chips were reset: all are open. */
void switches_were_reset(void);
/* Whether the chips held, each time, what they had been told. */
bool switches_answer(void);

#endif
