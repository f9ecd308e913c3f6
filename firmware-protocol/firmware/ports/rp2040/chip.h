/* Registers of the RP2040 that more than one file uses, and code that runs from RAM. */
#ifndef MEMLOOP_CHIP_H
#define MEMLOOP_CHIP_H

#include <stdint.h>

#include "../cortex-m/cortex-m.h"

#define CORE_CLOCK 125000000u

/* Writes to these copies of a register set or clear single bits. */
#define SET 0x2000u
#define CLEAR 0x3000u

#define TIMER 0x40054000u
#define TIMER_NOW REGISTER(TIMER + 0x28)

/* Not from flash: a miss of its cache takes microseconds. */
#define IN_RAM __attribute__((noinline, section(".ramcode")))

#endif
