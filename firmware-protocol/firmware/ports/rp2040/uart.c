#include "uart.h"

#include "chip.h"
#include "clock.h"

#define UART 0x40034000u
#define UART_DATA REGISTER(UART + 0x00)
#define UART_FLAGS REGISTER(UART + 0x18)
#define UART_BAUD_WHOLE REGISTER(UART + 0x24)
#define UART_BAUD_FRACTION REGISTER(UART + 0x28)
#define UART_LINE REGISTER(UART + 0x2c)
#define UART_CONTROL REGISTER(UART + 0x30)
#define UART_LEVELS REGISTER(UART + 0x34)
#define UART_MASK REGISTER(UART + 0x38)
#define UART_CLEAR REGISTER(UART + 0x44)

#define FLAG_IN_EMPTY (1u << 4)
#define FLAG_OUT_FULL (1u << 5)
#define ON_INPUT (1u << 4)
#define ON_SPACE (1u << 5)
#define ON_PAUSE (1u << 6) /* a few bytes, and then none for a while */
#define UART0_IRQ 20u
#define RESET_UART0 (1u << 22)

/* The line has no flow control: there must be room for WINDOW full frames. */
ring uart_in = RING(32768);
ring uart_out = RING(4096);

void uart_start(void) {
  unreset(RESET_UART0);
  /* 125 MHz / 16 / (8 + 31 / 64) = 920 810 Bd. */
  UART_BAUD_WHOLE = 8;
  UART_BAUD_FRACTION = 31;
  UART_LINE = 3u << 5 | 1u << 4; /* 8 bits, FIFOs */
  UART_LEVELS = 0;               /* interrupts at an eighth, both ways */
  UART_CONTROL = 1u << 9 | 1u << 8 | 1u;
  UART_MASK = ON_INPUT | ON_PAUSE;
  cortex_interrupt_enable(UART0_IRQ);
}

uint32_t uart_read(uint8_t *bytes, uint32_t max) {
  uint32_t count = 0;
  while (count < max && ring_take(&uart_in, &bytes[count])) count++;
  return count;
}

/* As much as the FIFO takes; the interrupt goes on with the rest. */
static void send(void) {
  uint8_t byte;
  while (!(UART_FLAGS & FLAG_OUT_FULL)) {
    if (!ring_take(&uart_out, &byte)) {
      UART_MASK = ON_INPUT | ON_PAUSE;
      return;
    }
    UART_DATA = byte;
  }
  UART_MASK = ON_INPUT | ON_PAUSE | ON_SPACE;
}

void uart_write(const uint8_t *bytes, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) ring_put(&uart_out, bytes[i]);
  cortex_interrupts_off();
  send();
  cortex_interrupts_on();
}

void uart_interrupt(void) {
  UART_CLEAR = ON_INPUT | ON_PAUSE | ON_SPACE;
  /* With the ring full the byte is lost, as on a bad line: the frame's CRC tells. */
  while (!(UART_FLAGS & FLAG_IN_EMPTY)) ring_put(&uart_in, (uint8_t)UART_DATA);
  send();
}
