/* For chips whose peripherals a reset request of the core resets too. */
#include "cortex-m.h"

#define SCB_AIRCR REGISTER(0xe000ed0c)

_Noreturn void cortex_restart(void) {
  __asm volatile("dsb" ::: "memory");
  SCB_AIRCR = 0x05fa0004;
  for (;;) __asm volatile("dsb" ::: "memory");
}
