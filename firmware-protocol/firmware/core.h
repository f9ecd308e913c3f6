/* The reference firmware: everything of a memloop board that does not depend on the machine. A port
 * implements hal.h and calls these three; nothing here blocks, allocates or uses interrupts. */
#ifndef MEMLOOP_CORE_H
#define MEMLOOP_CORE_H

#include <stdbool.h>
#include <stdint.h>

/* Once, at start, before the others. */
void ml_boot(void);
/* Bytes from the host, as they come. Never while another call of this file runs. */
void ml_receive(const uint8_t *bytes, uint32_t count);
/* Does a little work: at most one cell operation, row, vector or frame of samples. True if it got something
 * done, so that there may be more; when false, call again within a millisecond or so. */
bool ml_poll(void);

#endif
