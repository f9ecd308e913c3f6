#ifndef MEMLOOP_CLOCK_H
#define MEMLOOP_CLOCK_H

#include <stdbool.h>

#define CORE_CLOCK 168000000u
#define APB1_CLOCK (CORE_CLOCK / 4)
#define APB2_CLOCK (CORE_CLOCK / 2)

void watchdog_start(void);
/* At least every second. */
void watchdog_feed(void);
void clocks_start(void);
bool clock_is_emulated(void);

#endif
