/* The vector table of the STM32F405. */
#include "../cortex-m/cortex-m.h"
#include "uart.h"

#define VECTORS (16 + 82)
__attribute__((section(".vectors"), used)) static void (*const vectors[VECTORS])(void) = {
    (void (*)(void))stack_top,
    cortex_reset,
    [2 ... 14] = cortex_fault,
    [15] = cortex_tick,
    [16 ... 52] = cortex_fault,
    [16 + 37] = host_uart_interrupt,
    [16 + 38] = front_end_uart_interrupt,
    [55 ... VECTORS - 1] = cortex_fault,
};
