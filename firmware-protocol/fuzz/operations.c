#include "../firmware/operations.c"

uint32_t ml_operation_done(void);
uint32_t ml_operation_done(void) { return op.done; }
bool ml_operation_may_pulse(void);
bool ml_operation_may_pulse(void) { return fence.held == fence.highest && !fence.barred; }
