#include "cortex-m.h"

#define SYST_CSR REGISTER(0xe000e010)
#define SYST_RVR REGISTER(0xe000e014)
#define SYST_CVR REGISTER(0xe000e018)
#define NVIC_ISER ((volatile uint32_t *)0xe000e100)
#define NVIC_ISPR ((volatile uint32_t *)0xe000e200)
#define SCB_AIRCR REGISTER(0xe000ed0c)
#define SCB_CPACR REGISTER(0xe000ed88)

#define PAINT 0xfee1deadu

extern uint32_t data_start[], data_end[], data_load[], bss_start[], bss_end[];

static volatile uint32_t ticks;

void cortex_reset(void) {
  SCB_CPACR = 0xfu << 20; /* the floating-point unit on, before anything uses it */
  __asm volatile("dsb\n isb" ::: "memory");
  uint32_t *pointer;
  __asm volatile("mov %0, sp" : "=r"(pointer));
  for (uint32_t *word = stack_bottom; word < pointer; word++) *word = PAINT;
  for (uint32_t *to = data_start, *from = data_load; to < data_end;) *to++ = *from++;
  for (uint32_t *to = bss_start; to < bss_end;) *to++ = 0;
  main();
  cortex_restart();
}

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

_Noreturn void cortex_restart(void) {
  __asm volatile("dsb" ::: "memory");
  SCB_AIRCR = 0x05fa0004;
  for (;;) __asm volatile("dsb" ::: "memory");
}

uint32_t cortex_stack_used(void) {
  uint32_t *word = stack_bottom;
  while (word < stack_top && *word == PAINT) word++;
  return (uint32_t)((uint8_t *)stack_top - (uint8_t *)word);
}
