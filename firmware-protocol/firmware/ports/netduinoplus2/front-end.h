#ifndef MEMLOOP_FRONT_END_H
#define MEMLOOP_FRONT_END_H

#include <stdint.h>

/* Before ml_boot: asks the far side what it is. */
void front_end_start(void);
/* 32 random bits of the far side. */
uint32_t front_end_entropy(void);

/* Before anything is said to the host: what was asked of the far side and has no answer is done then. */
void front_end_finish(void);

#endif
