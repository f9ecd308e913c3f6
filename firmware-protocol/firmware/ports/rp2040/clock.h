/* Clocks and watchdog. */
#ifndef MEMLOOP_CLOCK_H
#define MEMLOOP_CLOCK_H

#include <stdint.h>

/* 125 MHz for the core and what hangs on it, microseconds in the timer, the watchdog on. */
void clocks_start(void);
/* At least every second. */
void watchdog_feed(void);
/* Once: within so many microseconds; up to 8 s. */
void watchdog_limit(uint32_t microseconds);
/* Takes peripherals out of reset: bits of the RESETS register. */
void unreset(uint32_t bits);

#endif
