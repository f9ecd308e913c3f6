#ifndef MEMLOOP_BUS_START_H
#define MEMLOOP_BUS_START_H

/* Before any function of bus.h. */
void bus_start(void);
/* For the vector table. */
void timer_interrupt(void);

#endif
