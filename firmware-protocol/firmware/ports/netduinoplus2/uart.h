/* The two UARTs, driven by interrupts. */
#ifndef MEMLOOP_UART_H
#define MEMLOOP_UART_H

#include <stdint.h>

#include "../cortex-m/ring.h"

typedef struct {
  uint32_t base; /* of its registers */
  uint32_t interrupt;
  ring in, out;
  volatile bool sending; /* the interrupt of the empty transmitter is on */
  bool never_full;       /* the transmitter takes every byte at once: an emulated one */
} uart;

extern uart host_uart, front_end_uart;

/* `clock`: of the bus that the UART is on, Hz. 8 bits, no parity, one stop bit. */
void uart_start(uart *u, uint32_t clock, uint32_t baud, bool never_full);
/* Takes up to `max` bytes that have come. */
uint32_t uart_read(uart *u, uint8_t *bytes, uint32_t max);
/* At most ring_space(&u->out) bytes. */
void uart_write(uart *u, const uint8_t *bytes, uint32_t count);

/* For the vector table. */
void host_uart_interrupt(void);
void front_end_uart_interrupt(void);

#endif
