#ifndef MEMLOOP_HAL_START_H
#define MEMLOOP_HAL_START_H

/* Before ml_boot: finds out the serial number. */
void hal_start(void);

#endif
