/* Pins of the RP2040 by their names in wiring.h. */
#ifndef MEMLOOP_PINS_H
#define MEMLOOP_PINS_H

/* Each to its function; lines are held at 0 V and no chip is selected. */
void pins_start(void);

#endif
