/* The line to the host: UART0, driven by interrupts. */
#ifndef MEMLOOP_UART_H
#define MEMLOOP_UART_H

#include <stdint.h>

#include "../cortex-m/ring.h"

extern ring uart_in, uart_out;

void uart_start(void);
/* Takes up to `max` bytes that have come. */
uint32_t uart_read(uint8_t *bytes, uint32_t max);
/* At most ring_space(&uart_out) bytes. */
void uart_write(const uint8_t *bytes, uint32_t count);
/* For the vector table. */
void uart_interrupt(void);

#endif
