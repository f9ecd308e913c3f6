/* What every Cortex-M board needs and no board does differently: start, ticks, sleep, reset, use of the stack.
 * The board's linker script gives stack_bottom, stack_top, data_start, data_end, data_load, bss_start, bss_end. */
#ifndef MEMLOOP_CORTEX_M_H
#define MEMLOOP_CORTEX_M_H

#include <stdbool.h>
#include <stdint.h>

#define REGISTER(ADDRESS) (*(volatile uint32_t *)(ADDRESS))

extern uint32_t stack_bottom[], stack_top[];

/* What the stack is filled with at start, so that its use can be told. */
#define CORTEX_STACK_PAINT 0xfee1deadu

/* For the board's vector table. */
void cortex_reset(void);
void cortex_fault(void);
void cortex_tick(void);

/* The board's own; called by cortex_reset. */
int main(void);

/* Ticks of a millisecond, each of which ends a sleep; `frequency` of the core in Hz. Some may be missed where
 * interrupts are late: for patience, not for measuring time. */
void cortex_ticks_start(uint32_t frequency);
uint32_t cortex_ticks(void);

static inline void cortex_interrupts_off(void) { __asm volatile("cpsid i" ::: "memory"); }
static inline void cortex_interrupts_on(void) { __asm volatile("cpsie i" ::: "memory"); }

void cortex_interrupt_enable(uint32_t number);
/* Makes an interrupt happen. */
void cortex_interrupt_pend(uint32_t number);
/* Until the next interrupt, unless `ready` says that there is work: asked with interrupts off, so that none
 * comes unseen between the question and the sleep. */
void cortex_sleep_unless(bool (*ready)(void));
/* restart.c, or the port's own where the chip has another way. */
_Noreturn void cortex_restart(void);

/* Most bytes of the stack that were ever in use. */
uint32_t cortex_stack_used(void);

#endif
