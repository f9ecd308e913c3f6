#include "cortex-m.h"

#define SYST_CSR REGISTER(0xe000e010)
#define SYST_RVR REGISTER(0xe000e014)
#define SYST_CVR REGISTER(0xe000e018)
#define NVIC_ISER ((volatile uint32_t *)0xe000e100)
#define NVIC_ISPR ((volatile uint32_t *)0xe000e200)

static volatile uint32_t ticks;

void cortex_fault(void) { cortex_restart(); }

void cortex_tick(void) { ticks++; }

void cortex_ticks_start(uint32_t frequency) {
  SYST_RVR = frequency / 1000u - 1;
  SYST_CVR = 0;
  SYST_CSR = 7; /* core clock, interrupt, on */
}

uint32_t cortex_ticks(void) { return ticks; }

void cortex_interrupt_enable(uint32_t number) { NVIC_ISER[number / 32] = 1u << number % 32; }

void cortex_interrupt_pend(uint32_t number) { NVIC_ISPR[number / 32] = 1u << number % 32; }

void cortex_sleep_unless(bool (*ready)(void)) {
  cortex_interrupts_off();
  if (!ready()) __asm volatile("dsb\n wfi" ::: "memory");
  cortex_interrupts_on();
}

uint32_t cortex_stack_used(void) {
  uint32_t *word = stack_bottom;
  while (word < stack_top && *word == CORTEX_STACK_PAINT) word++;
  return (uint32_t)((uint8_t *)stack_top - (uint8_t *)word);
}
