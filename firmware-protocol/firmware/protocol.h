/* Generated from protocol.json by generate.mjs (npm run protocol). Do not edit. */
#ifndef MEMLOOP_PROTOCOL_H
#define MEMLOOP_PROTOCOL_H

#include <stdbool.h>
#include <stdint.h>

#define ML_PROTOCOL_VERSION 2u
#define ML_PROTOCOL_HASH 0x3b5167e1u
/* The version before, which the firmware speaks too: no message of it has changed. */
#define ML_EARLIER_VERSION 1u
#define ML_EARLIER_HASH 0x5e74aff5u
/* Largest payload of a frame, bytes */
#define ML_MAX_PAYLOAD 2048u
/* Depth of the board's result cache: request n may be sent only when n - WINDOW has been answered */
#define ML_WINDOW 8u
/* Most cell operations in one Cells request */
#define ML_MAX_OPS 200u
/* Most DAC codes or ADC counts in a ReadRows or Multiply, each way */
#define ML_MAX_COUNTS 1020u
/* Most membrane counts in one Samples frame */
#define ML_MAX_STREAM 1000u
/* Most ADC samples that one read, row or product averages */
#define ML_MAX_SAMPLES 255u
/* As the reference resistor: none, the path is left open */
#define ML_OPEN_PATH 255u
#define ML_HEADER_SIZE 9u
#define ML_CRC_SIZE 4u

enum {
  ML_STATUS_OK = 0, /* done */
  ML_STATUS_LIMIT_VOLTAGE = 1, /* refused: voltage or drive outside the board's limits */
  ML_STATUS_LIMIT_WIDTH = 2, /* refused: pulse width outside the board's limits */
  ML_STATUS_LIMIT_ENERGY = 3, /* refused: the pulse could put more energy into the cell than the limit */
  ML_STATUS_LIMIT_PULSES = 4, /* refused: the cell has had all the pulses it may have */
  ML_STATUS_BAD_ADDRESS = 5, /* refused: no such array, row, column, reference or range */
  ML_STATUS_BAD_REQUEST = 6, /* refused: malformed, of the wrong length, or asking for nothing or too much */
  ML_STATUS_NO_SESSION = 7, /* not executed: the board does not know this session; detail is its boot id */
  ML_STATUS_OUT_OF_ORDER = 8, /* not executed: an earlier request is missing; detail is the sequence number expected */
  ML_STATUS_BUSY = 9, /* no answer yet: the request waits or is under way, or more than WINDOW are unanswered */
  ML_STATUS_UNSUPPORTED = 10, /* not executed: unknown message */
  ML_STATUS_STOPPED = 11, /* not executed, or cut short, by Stop, the dead-man or a fault */
  ML_STATUS_EXPIRED = 12, /* not executed again: the result of this old request is no longer in the cache */
  ML_STATUS_FENCED = 13, /* refused: a newer holder has claimed the board, or the claim is of another boot; as the answer to Claim, detail is the low half of the highest token */
};

enum {
  ML_OP_KIND_PULSE = 1, /* voltage pulse through the series resistor onto one cell */
  ML_OP_KIND_READ = 2, /* current of one cell at a read voltage, all columns at virtual ground */
};

enum {
  ML_NOTICE_CODE_BOOTED = 1, /* the board has started; detail is its boot id */
  ML_NOTICE_CODE_DEAD_MAN = 2, /* the host was silent for the dead-man time; all lines are at 0 V */
  ML_NOTICE_CODE_FAULT = 3, /* the analog front end reported a fault; all lines are at 0 V; detail is the front end's code */
};

enum {
  ML_ID_HELLO = 1,
  ML_ID_HELLO_REPLY = 129,
  ML_ID_DESCRIBE = 2,
  ML_ID_DESCRIBE_REPLY = 130,
  ML_ID_ARRAY_INFO = 3,
  ML_ID_ARRAY_INFO_REPLY = 131,
  ML_ID_PING = 4,
  ML_ID_PING_REPLY = 132,
  ML_ID_CELLS = 5,
  ML_ID_CELLS_REPLY = 133,
  ML_ID_READ_ROWS = 6,
  ML_ID_READ_ROWS_REPLY = 134,
  ML_ID_MULTIPLY = 7,
  ML_ID_MULTIPLY_REPLY = 135,
  ML_ID_RUN = 8,
  ML_ID_RUN_REPLY = 136,
  ML_ID_REFERENCE = 9,
  ML_ID_REFERENCE_REPLY = 137,
  ML_ID_STOP = 10,
  ML_ID_STOP_REPLY = 138,
  ML_ID_CLAIM = 11,
  ML_ID_CLAIM_REPLY = 139,
  ML_ID_SAMPLES = 144,
  ML_ID_NOTICE = 145,
  ML_ID_REFUSED = 255,
};

#define ML_MAX_DESCRIBE_REPLY_AMPS_PER_COUNT 4u
#define ML_MAX_DESCRIBE_REPLY_REFERENCES 8u
#define ML_MAX_CELLS_OPS 200u
#define ML_MAX_CELLS_REPLY_RESULTS 200u
#define ML_MAX_READ_ROWS_REPLY_COUNTS 1020u
#define ML_MAX_MULTIPLY_CODES 1020u
#define ML_MAX_MULTIPLY_REPLY_COUNTS 1020u
#define ML_MAX_RUN_PULSE_STEPS 32u
#define ML_MAX_RUN_DRIVES 900u
#define ML_MAX_REFERENCE_CODES 64u
#define ML_MAX_REFERENCE_REPLY_COUNTS 64u
#define ML_MAX_SAMPLES_COUNTS 1000u

typedef struct {
  /* what to do */
  uint8_t kind;
  /* array index */
  uint8_t array;
  /* row index */
  uint8_t row;
  /* column index */
  uint8_t column;
  /* row DAC code */
  int16_t code;
  /* pulse width; ignored by READ, 1e-7 s */
  uint16_t width;
  /* ADC samples to average; ignored by PULSE */
  uint8_t samples;
} ml_cell_op;

typedef struct {
  /* OK, or why the operation was refused */
  uint8_t status;
  /* mean ADC count in current range 0; 0 for PULSE */
  int16_t count;
} ml_cell_result;

typedef struct {
  /* random; marks the reply */
  uint32_t nonce;
  /* the host's version */
  uint16_t protocol_version;
  /* the host's hash of protocol.json */
  uint32_t protocol_hash;
} ml_hello;

typedef struct {
  /* of the request */
  uint32_t nonce;
  /* the board's version */
  uint16_t protocol_version;
  /* the board's hash */
  uint32_t protocol_hash;
  /* changes at every start of the board */
  uint32_t boot_id;
  /* for the headers to come; 0 when the protocols differ and the session is refused */
  uint32_t session;
  /* of the board */
  char firmware_version[24 + 1];
  /* of the board */
  char board_serial[32 + 1];
} ml_hello_reply;

typedef struct {
  uint8_t empty;
} ml_describe;

typedef struct {
  /* number of crossbar arrays */
  uint8_t arrays;
  /* rows of each array */
  uint16_t rows;
  /* columns of each array */
  uint16_t columns;
  /* MIF neurons */
  uint8_t neurons;
  /* nominal step of the row DACs, V */
  float row_volts_per_count;
  /* row DAC codes run from -max to +max */
  int16_t row_max_count;
  /* nominal step of the column ADCs in each current range; range 0 is for single cells and rows, the last for whole columns, A */
  uint16_t ranges;
  float amps_per_count[4];
  /* a column count at this size is saturated */
  int16_t current_max_count;
  /* nominal step of a neuron's drive: the jump of the alpha current's state a, A */
  float drive_amps_per_count;
  /* drive codes run from -max to +max */
  int16_t drive_max_count;
  /* nominal step of the membrane ADC, V */
  float membrane_volts_per_count;
  /* a membrane count at this size is saturated */
  int16_t membrane_max_count;
  /* time between two steps of a run, s */
  float step_time;
  /* longest run, steps */
  uint16_t max_steps;
  /* in series with a cell during a pulse, Ω */
  float series_resistance;
  /* share of a pulse's voltage that cells on the selected row or column see */
  float half_select;
  /* highest pulse voltage, V */
  float max_voltage;
  /* lowest (most negative) pulse voltage, V */
  float min_voltage;
  /* largest absolute voltage of a read, a multiplication or a reference, V */
  float max_read_voltage;
  /* time the voltage is applied for each ADC sample, s */
  float read_time;
  /* shortest pulse, s */
  float min_width;
  /* longest pulse, s */
  float max_width;
  /* largest energy of a pulse, taken as V^2 / (4 R) x width with R the series resistance: the most that it can put into any cell, J */
  float max_energy;
  /* pulses a cell may have in one boot */
  uint32_t max_pulses;
  /* silence of the host after which all lines go to 0 V, s */
  float dead_man_time;
  /* reference resistors that can be switched between any row and any column, Ω */
  uint16_t reference_count;
  float references[8];
} ml_describe_reply;

typedef struct {
  /* array index */
  uint8_t array;
} ml_array_info;

typedef struct {
  /* of the array */
  char serial[32 + 1];
} ml_array_info_reply;

typedef struct {
  uint8_t empty;
} ml_ping;

typedef struct {
  /* time since boot, 0.001 s */
  uint32_t uptime;
  /* valid frames since boot */
  uint32_t frames_received;
  /* frames dropped for their CRC or framing */
  uint32_t crc_errors;
  /* requests answered from the result cache */
  uint32_t duplicates;
  /* pulses put on cells since boot */
  uint32_t pulses_applied;
} ml_ping_reply;

typedef struct {
  /* the operations */
  uint16_t op_count;
  ml_cell_op ops[200];
} ml_cells;

typedef struct {
  /* one for each operation */
  uint16_t result_count;
  ml_cell_result results[200];
} ml_cells_reply;

typedef struct {
  /* array index */
  uint8_t array;
  /* row index */
  uint8_t first_row;
  /* rows to read */
  uint8_t row_count;
  /* row DAC code */
  int16_t code;
  /* ADC samples to average */
  uint8_t samples;
} ml_read_rows;

typedef struct {
  /* rowCount x columns, row by row, current range 0 */
  uint16_t count_count;
  int16_t counts[1020];
} ml_read_rows_reply;

typedef struct {
  /* array index */
  uint8_t array;
  /* current range */
  uint8_t range;
  /* ADC samples to average */
  uint8_t samples;
  /* vectors x rows, vector by vector */
  uint16_t code_count;
  int16_t codes[1020];
} ml_multiply;

typedef struct {
  /* vectors x columns */
  uint16_t count_count;
  int16_t counts[1020];
} ml_multiply_reply;

typedef struct {
  /* run number, chosen by the host */
  uint16_t run;
  /* length of the run */
  uint16_t steps;
  /* steps between two samples; the first sample is after step `decimation` */
  uint16_t decimation;
  /* most samples of each neuron in a frame, for a line on which long frames are lost; 0: as many as it holds */
  uint16_t frame_samples;
  /* steps at which input pulses arrive, ascending */
  uint16_t pulse_count;
  uint16_t pulse_steps[32];
  /* pulses x neurons drive codes */
  uint16_t drive_count;
  int16_t drives[900];
} ml_run;

typedef struct {
  /* of the request */
  uint16_t run;
  /* OK or STOPPED */
  uint8_t status;
  /* Samples frames sent */
  uint16_t frames;
  /* samples of each neuron sent */
  uint16_t samples;
} ml_run_reply;

typedef struct {
  /* row DAC */
  uint8_t row;
  /* column ADC */
  uint8_t column;
  /* reference resistor; OPEN_PATH leaves the path open */
  uint8_t reference;
  /* current range */
  uint8_t range;
  /* ADC samples to average */
  uint8_t samples;
  /* row DAC codes to apply in turn */
  uint16_t code_count;
  int16_t codes[64];
} ml_reference;

typedef struct {
  /* one for each code */
  uint16_t count_count;
  int16_t counts[64];
} ml_reference_reply;

typedef struct {
  uint8_t empty;
} ml_stop;

typedef struct {
  uint8_t empty;
} ml_stop_reply;

typedef struct {
  /* the boot for which the token was given */
  uint32_t boot_id;
  /* upper half of the token */
  uint32_t token_high;
  /* lower half of the token */
  uint32_t token_low;
} ml_claim;

typedef struct {
  uint8_t empty;
} ml_claim_reply;

typedef struct {
  /* run number */
  uint16_t run;
  /* counts the frames of the run from 0 */
  uint16_t frame;
  /* step of the first sample */
  uint16_t step;
  /* steps between two samples */
  uint16_t decimation;
  /* samples x neurons */
  uint16_t count_count;
  int16_t counts[1000];
} ml_samples;

typedef struct {
  /* what */
  uint8_t code;
  /* see the code */
  uint32_t detail;
} ml_notice;

typedef struct {
  /* why */
  uint8_t status;
  /* see the status */
  uint32_t detail;
} ml_refused;

/* ml_get_NAME reads a payload of exactly `length` bytes; false if it is not one (wrong length, bad enum
 * value, array over its bound, number not finite). ml_put_NAME writes a payload and returns its length; the
 * buffer holds ML_MAX_PAYLOAD bytes and counts are within their bounds. */
bool ml_get_hello(ml_hello *m, const uint8_t *b, uint32_t length);
uint32_t ml_put_hello(const ml_hello *m, uint8_t *b);
bool ml_get_hello_reply(ml_hello_reply *m, const uint8_t *b, uint32_t length);
uint32_t ml_put_hello_reply(const ml_hello_reply *m, uint8_t *b);
bool ml_get_describe(ml_describe *m, const uint8_t *b, uint32_t length);
uint32_t ml_put_describe(const ml_describe *m, uint8_t *b);
bool ml_get_describe_reply(ml_describe_reply *m, const uint8_t *b, uint32_t length);
uint32_t ml_put_describe_reply(const ml_describe_reply *m, uint8_t *b);
bool ml_get_array_info(ml_array_info *m, const uint8_t *b, uint32_t length);
uint32_t ml_put_array_info(const ml_array_info *m, uint8_t *b);
bool ml_get_array_info_reply(ml_array_info_reply *m, const uint8_t *b, uint32_t length);
uint32_t ml_put_array_info_reply(const ml_array_info_reply *m, uint8_t *b);
bool ml_get_ping(ml_ping *m, const uint8_t *b, uint32_t length);
uint32_t ml_put_ping(const ml_ping *m, uint8_t *b);
bool ml_get_ping_reply(ml_ping_reply *m, const uint8_t *b, uint32_t length);
uint32_t ml_put_ping_reply(const ml_ping_reply *m, uint8_t *b);
bool ml_get_cells(ml_cells *m, const uint8_t *b, uint32_t length);
uint32_t ml_put_cells(const ml_cells *m, uint8_t *b);
bool ml_get_cells_reply(ml_cells_reply *m, const uint8_t *b, uint32_t length);
uint32_t ml_put_cells_reply(const ml_cells_reply *m, uint8_t *b);
bool ml_get_read_rows(ml_read_rows *m, const uint8_t *b, uint32_t length);
uint32_t ml_put_read_rows(const ml_read_rows *m, uint8_t *b);
bool ml_get_read_rows_reply(ml_read_rows_reply *m, const uint8_t *b, uint32_t length);
uint32_t ml_put_read_rows_reply(const ml_read_rows_reply *m, uint8_t *b);
bool ml_get_multiply(ml_multiply *m, const uint8_t *b, uint32_t length);
uint32_t ml_put_multiply(const ml_multiply *m, uint8_t *b);
bool ml_get_multiply_reply(ml_multiply_reply *m, const uint8_t *b, uint32_t length);
uint32_t ml_put_multiply_reply(const ml_multiply_reply *m, uint8_t *b);
bool ml_get_run(ml_run *m, const uint8_t *b, uint32_t length);
uint32_t ml_put_run(const ml_run *m, uint8_t *b);
bool ml_get_run_reply(ml_run_reply *m, const uint8_t *b, uint32_t length);
uint32_t ml_put_run_reply(const ml_run_reply *m, uint8_t *b);
bool ml_get_reference(ml_reference *m, const uint8_t *b, uint32_t length);
uint32_t ml_put_reference(const ml_reference *m, uint8_t *b);
bool ml_get_reference_reply(ml_reference_reply *m, const uint8_t *b, uint32_t length);
uint32_t ml_put_reference_reply(const ml_reference_reply *m, uint8_t *b);
bool ml_get_stop(ml_stop *m, const uint8_t *b, uint32_t length);
uint32_t ml_put_stop(const ml_stop *m, uint8_t *b);
bool ml_get_stop_reply(ml_stop_reply *m, const uint8_t *b, uint32_t length);
uint32_t ml_put_stop_reply(const ml_stop_reply *m, uint8_t *b);
bool ml_get_claim(ml_claim *m, const uint8_t *b, uint32_t length);
uint32_t ml_put_claim(const ml_claim *m, uint8_t *b);
bool ml_get_claim_reply(ml_claim_reply *m, const uint8_t *b, uint32_t length);
uint32_t ml_put_claim_reply(const ml_claim_reply *m, uint8_t *b);
bool ml_get_samples(ml_samples *m, const uint8_t *b, uint32_t length);
uint32_t ml_put_samples(const ml_samples *m, uint8_t *b);
bool ml_get_notice(ml_notice *m, const uint8_t *b, uint32_t length);
uint32_t ml_put_notice(const ml_notice *m, uint8_t *b);
bool ml_get_refused(ml_refused *m, const uint8_t *b, uint32_t length);
uint32_t ml_put_refused(const ml_refused *m, uint8_t *b);

/* X(ID, name) of every message. */
#define ML_MESSAGES(X) \
  X(HELLO, hello) \
  X(HELLO_REPLY, hello_reply) \
  X(DESCRIBE, describe) \
  X(DESCRIBE_REPLY, describe_reply) \
  X(ARRAY_INFO, array_info) \
  X(ARRAY_INFO_REPLY, array_info_reply) \
  X(PING, ping) \
  X(PING_REPLY, ping_reply) \
  X(CELLS, cells) \
  X(CELLS_REPLY, cells_reply) \
  X(READ_ROWS, read_rows) \
  X(READ_ROWS_REPLY, read_rows_reply) \
  X(MULTIPLY, multiply) \
  X(MULTIPLY_REPLY, multiply_reply) \
  X(RUN, run) \
  X(RUN_REPLY, run_reply) \
  X(REFERENCE, reference) \
  X(REFERENCE_REPLY, reference_reply) \
  X(STOP, stop) \
  X(STOP_REPLY, stop_reply) \
  X(CLAIM, claim) \
  X(CLAIM_REPLY, claim_reply) \
  X(SAMPLES, samples) \
  X(NOTICE, notice) \
  X(REFUSED, refused)

#endif
