#include "../firmware/operations.c"

uint32_t ml_operation_done(void);
uint32_t ml_operation_done(void) { return op.done; }
