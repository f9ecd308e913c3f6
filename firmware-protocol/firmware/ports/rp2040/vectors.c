/* The vector table of the RP2040. */
#include "../cortex-m/cortex-m.h"
#include "bus-start.h"
#include "uart.h"

#define VECTORS (16 + 26)
__attribute__((section(".vectors"), used)) static void (*const vectors[VECTORS])(void) = {
    (void (*)(void))stack_top,
    cortex_reset,
    [2 ... 14] = cortex_fault,
    [15] = cortex_tick,
    [16] = timer_interrupt,
    [17 ... 35] = cortex_fault,
    [16 + 20] = uart_interrupt,
    [37 ... VECTORS - 1] = cortex_fault,
};
