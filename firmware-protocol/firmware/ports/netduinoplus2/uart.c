#include "uart.h"

#include "../cortex-m/cortex-m.h"

#define SR(U) REGISTER((U)->base + 0x00)
#define DR(U) REGISTER((U)->base + 0x04)
#define BRR(U) REGISTER((U)->base + 0x08)
#define CR1(U) REGISTER((U)->base + 0x0c)

#define SR_ORE (1u << 3)
#define SR_RXNE (1u << 5)
#define SR_TXE (1u << 7)
#define CR1_RE (1u << 2)
#define CR1_TE (1u << 3)
#define CR1_RXNEIE (1u << 5)
#define CR1_TXEIE (1u << 7)
#define CR1_UE (1u << 13)

/* The line has no flow control: there must be room for WINDOW full frames. */
uart host_uart = {.base = 0x40011000, .interrupt = 37, .in = RING(32768), .out = RING(4096)};
/* One call or its reply at a time. */
uart front_end_uart = {.base = 0x40004400, .interrupt = 38, .in = RING(4096), .out = RING(4096)};

void uart_start(uart *u, uint32_t clock, uint32_t baud, bool never_full) {
  u->never_full = never_full;
  BRR(u) = (clock + baud / 2) / baud;
  CR1(u) = CR1_UE | CR1_TE | CR1_RE | CR1_RXNEIE;
  cortex_interrupt_enable(u->interrupt);
}

uint32_t uart_read(uart *u, uint8_t *bytes, uint32_t max) {
  uint32_t count = 0;
  while (count < max && ring_take(&u->in, &bytes[count])) count++;
  return count;
}

void uart_write(uart *u, const uint8_t *bytes, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) ring_put(&u->out, bytes[i]);
  /* Together, or the interrupt could end the sending in between and then find itself on for ever. */
  cortex_interrupts_off();
  u->sending = true;
  CR1(u) |= CR1_TXEIE;
  cortex_interrupts_on();
  /* QEMU does not raise the interrupt of an empty transmitter; on the chip it is pending already. */
  cortex_interrupt_pend(u->interrupt);
}

static void serve(uart *u) {
  uint8_t byte;
  uint32_t status;
  while ((status = SR(u)) & (SR_RXNE | SR_ORE)) {
    byte = (uint8_t)DR(u); /* this clears both */
    /* With the ring full the byte is lost, as on a bad line: the frame's CRC tells. */
    if (status & SR_RXNE) ring_put(&u->in, byte);
  }
  /* In QEMU a look at the status costs several times what sending a byte does. */
  while (u->sending && (u->never_full || SR(u) & SR_TXE)) {
    if (ring_take(&u->out, &byte)) {
      DR(u) = byte;
    } else {
      u->sending = false;
      CR1(u) &= ~CR1_TXEIE;
    }
  }
}

void host_uart_interrupt(void) { serve(&host_uart); }
void front_end_uart_interrupt(void) { serve(&front_end_uart); }
