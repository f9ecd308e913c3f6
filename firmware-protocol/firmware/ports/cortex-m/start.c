/* From reset to main. Apart from the rest, so that whoever main calls need not call main. */
#include "cortex-m.h"

#define SCB_CPACR REGISTER(0xe000ed88)

extern uint32_t data_start[], data_end[], data_load[], bss_start[], bss_end[];

void cortex_reset(void) {
#ifdef __ARM_FP
  SCB_CPACR = 0xfu << 20; /* the floating-point unit on, before anything uses it */
  __asm volatile("dsb\n isb" ::: "memory");
#endif
  uint32_t *pointer;
  __asm volatile("mov %0, sp" : "=r"(pointer));
  for (uint32_t *word = stack_bottom; word < pointer; word++) *word = CORTEX_STACK_PAINT;
  for (uint32_t *to = data_start, *from = data_load; to < data_end;) *to++ = *from++;
  for (uint32_t *to = bss_start; to < bss_end;) *to++ = 0;
  main();
  cortex_restart();
}
