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

void ml_operations_boot(uint32_t boot_id);
/* A session has begun: nothing is claimed in it yet. `earlier`: it speaks the version before. */
void ml_operations_session(bool earlier);
float ml_dead_man_time(void);
/* Whether a request has anything to do with rows, columns or neurons. */
bool ml_operation_uses_lines(uint8_t type);
/* Takes up a request; it is worked on by ml_operation_step. */
void ml_operation_begin(uint8_t type, const uint8_t *payload, uint32_t length);
/* Whether the next step sends a frame, unless it is stopped: then the line must be free. */
bool ml_operation_streams(void);

typedef enum {
  ML_GOES_ON,
  ML_SENDS,   /* a frame that goes out before the answer has been written in its place */
  ML_FINISHED /* the answer has been written */
} ml_progress;

/* One unit of work. `stopped`: finish now. `health`: what Ping tells, all of it but pulses_applied. */
ml_progress ml_operation_step(bool stopped, const ml_ping_reply *health, ml_answer *answer);
void ml_refuse(ml_answer *answer, uint8_t status, uint32_t detail);

#endif
