/* The DACs of rows and columns. Another part is another file that implements this. */
#ifndef MEMLOOP_DAC_H
#define MEMLOOP_DAC_H

#include <stdbool.h>
#include <stdint.h>

#include "bus.h"

/* Lines of the crossbar: rows, then columns. */
#define DAC_ROW(N) ((uint8_t)(N))
#define DAC_COLUMN(N) ((uint8_t)(FRONT_END_ROWS + (N)))

/* After a reset of the chips, which puts all lines to 0 V. False if a chip does not answer. */
bool dac_start(void);
/* The line is to have this voltage, in steps from the virtual ground; nothing moves before dac_load. */
void dac_write(uint8_t line, int16_t code);
/* All lines move at once to what was written. */
void dac_load(void);
/* The frame that, at its end, moves this line and no other. */
bus_frame dac_step(uint8_t line, int16_t code);

#endif
