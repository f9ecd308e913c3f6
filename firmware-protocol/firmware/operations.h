/* What the requests do, within the board's limits. Between core.c and operations.c only. */
#ifndef MEMLOOP_OPERATIONS_H
#define MEMLOOP_OPERATIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol.h"

typedef struct {
  uint8_t type;
  uint16_t length;
  uint8_t payload[ML_MAX_PAYLOAD];
} ml_answer;

/* operations.c */
void ml_operations_boot(void);
float ml_dead_man_time(void);
/* Whether a request has anything to do with rows, columns or neurons. */
bool ml_operation_uses_lines(uint8_t type);
/* Takes up a request; it is worked on by ml_operation_step. */
void ml_operation_begin(uint8_t type, const uint8_t *payload, uint32_t length);
/* One unit of work. True when the request is finished and its answer written. `stopped`: finish now. */
bool ml_operation_step(bool stopped, ml_answer *answer);
/* Whether a step would get anything done now. */
bool ml_operation_can_step(bool stopped);
void ml_refuse(ml_answer *answer, uint8_t status, uint32_t detail);

/* core.c */
bool ml_link_is_free(void);
/* Sends a frame on behalf of the request under way; only when the link is free. */
void ml_link_send(uint8_t type, const uint8_t *payload, uint32_t length);
/* All of it but pulses_applied. */
void ml_link_health(ml_ping_reply *reply);

#endif
