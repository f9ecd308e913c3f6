#ifndef MEMLOOP_FLASH_ID_H
#define MEMLOOP_FLASH_ID_H

#include <stdint.h>

/* The flash chip's own 64-bit number (command 4Bh): no two boards have the same. */
void flash_id(uint8_t id[8]);

#endif
