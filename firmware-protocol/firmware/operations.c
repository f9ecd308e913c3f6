#include "operations.h"

#include "bytes.h"
#include "hal.h"

/* Cells whose pulses can be counted; those beyond get none. Two bytes of RAM each. */
#ifndef ML_CELLS
#define ML_CELLS 4096
#endif

/* Voltages are codes times a rounded step: a limit that is a whole number of steps must not be missed by the
 * rounding of 32-bit numbers. */
#define ROUNDING 1.000001f

static ml_describe_reply description;
static uint16_t pulses_of[ML_CELLS];
static uint32_t pulses_applied;

/* Who may pulse: whoever has claimed in this session with the highest token since boot. */
static struct {
  uint32_t boot_id;
  bool earlier;     /* the session knows neither Claim nor FENCED */
  uint64_t highest; /* 0: nobody has claimed, everybody may pulse */
  uint64_t held;    /* in this session */
  bool barred;      /* the last claim of this session was refused */
} fence;

/* The request under way. */
static struct {
  uint8_t type;
  uint8_t status;  /* not OK: refused as a whole */
  uint32_t detail; /* of the refusal */
  uint32_t units;  /* of work to do */
  uint32_t done;
  union {
    ml_describe describe;
    ml_array_info array_info;
    ml_ping ping;
    ml_cells cells;
    ml_read_rows read_rows;
    ml_multiply multiply;
    ml_run run;
    ml_reference reference;
    ml_stop stop;
    ml_claim claim;
  } request;
  union {
    ml_array_info_reply array_info;
    ml_ping_reply ping;
    ml_cells_reply cells;
    ml_read_rows_reply read_rows;
    ml_multiply_reply multiply;
    ml_run_reply run;
    ml_reference_reply reference;
    ml_stop_reply stop;
    ml_claim_reply claim;
  } reply;
} op;

static ml_samples samples;

void ml_operations_boot(uint32_t boot_id) {
  __builtin_memset(&fence, 0, sizeof fence);
  fence.boot_id = boot_id;
  description = *hal_description();
  /* What cannot be addressed is not offered; what cannot be counted is not allowed. */
  if (description.rows > 256 || description.columns > 256) description.rows = description.columns = 0;
  if (description.max_pulses > UINT16_MAX) description.max_pulses = UINT16_MAX;
  __builtin_memset(pulses_of, 0, sizeof pulses_of);
  pulses_applied = 0;
}

void ml_operations_session(bool earlier) {
  fence.earlier = earlier;
  fence.held = 0;
  fence.barred = false;
}

float ml_dead_man_time(void) { return description.dead_man_time; }

void ml_refuse(ml_answer *answer, uint8_t status, uint32_t detail) {
  ml_refused refused = {.status = status, .detail = detail};
  answer->type = ML_ID_REFUSED;
  answer->length = (uint16_t)ml_put_refused(&refused, answer->payload);
}

/* ---- limits. Written so that a limit which is not a number refuses everything. */

static float volts(int16_t code) { return (float)code * description.row_volts_per_count; }

static bool is_dac_code(int16_t code) { return code <= description.row_max_count && -code <= description.row_max_count; }

static uint8_t check_read(int16_t code, uint8_t sample_count) {
  float v = volts(code);
  float limit = description.max_read_voltage * ROUNDING;
  if (!is_dac_code(code) || !(v <= limit && -v <= limit)) return ML_STATUS_LIMIT_VOLTAGE;
  return sample_count > 0 ? ML_STATUS_OK : ML_STATUS_BAD_REQUEST;
}

static uint8_t check_address(const ml_cell_op *cell) {
  bool good = cell->array < description.arrays && cell->row < description.rows && cell->column < description.columns;
  return good ? ML_STATUS_OK : ML_STATUS_BAD_ADDRESS;
}

static uint32_t index_of(const ml_cell_op *cell) {
  return ((uint32_t)cell->array * description.rows + cell->row) * description.columns + cell->column;
}

static uint8_t check_pulse(const ml_cell_op *pulse) {
  if (fence.barred || fence.held < fence.highest) return fence.earlier ? ML_STATUS_STOPPED : ML_STATUS_FENCED;
  float v = volts(pulse->code);
  if (!is_dac_code(pulse->code) || !(v <= description.max_voltage * ROUNDING && v >= description.min_voltage * ROUNDING))
    return ML_STATUS_LIMIT_VOLTAGE;
  float width = (float)pulse->width * 1e-7f;
  if (!(width * ROUNDING >= description.min_width && width <= description.max_width * ROUNDING))
    return ML_STATUS_LIMIT_WIDTH;
  float energy = v * v / (4.0f * description.series_resistance) * width;
  if (!(energy >= 0.0f && energy <= description.max_energy * ROUNDING)) return ML_STATUS_LIMIT_ENERGY;
  uint32_t index = index_of(pulse);
  if (index >= ML_CELLS || pulses_of[index] >= description.max_pulses) return ML_STATUS_LIMIT_PULSES;
  return ML_STATUS_OK;
}

/* ---- each request: check takes it up, work does one unit of it, put writes the reply */

static ml_cell_result cell_operation(const ml_cell_op *cell) {
  ml_cell_result result = {.status = check_address(cell), .count = 0};
  if (result.status != ML_STATUS_OK) return result;
  if (cell->kind == ML_OP_KIND_PULSE) {
    result.status = check_pulse(cell);
    if (result.status != ML_STATUS_OK) return result;
    pulses_of[index_of(cell)]++;
    pulses_applied++;
    hal_pulse(cell->array, cell->row, cell->column, cell->code, cell->width);
    return result;
  }
  result.status = check_read(cell->code, cell->samples);
  if (result.status != ML_STATUS_OK) return result;
  result.count = hal_read_cell(cell->array, cell->row, cell->column, cell->code, cell->samples);
  return result;
}

static uint8_t check_codes(const int16_t *codes, uint32_t count, uint8_t sample_count) {
  for (uint32_t i = 0; i < count; i++) {
    uint8_t status = check_read(codes[i], sample_count);
    op.detail = i;
    if (status != ML_STATUS_OK) return status;
  }
  op.detail = 0;
  return ML_STATUS_OK;
}

static uint8_t check_claim(void) {
  const ml_claim *r = &op.request.claim;
  uint64_t token = (uint64_t)r->token_high << 32 | r->token_low;
  fence.barred = r->boot_id != fence.boot_id || token < fence.highest;
  if (fence.barred) {
    op.detail = (uint32_t)fence.highest;
    return ML_STATUS_FENCED;
  }
  fence.highest = fence.held = token;
  return ML_STATUS_OK;
}

static uint8_t check_read_rows(void) {
  const ml_read_rows *r = &op.request.read_rows;
  if (r->array >= description.arrays || r->first_row + r->row_count > description.rows) return ML_STATUS_BAD_ADDRESS;
  uint32_t counts = (uint32_t)r->row_count * description.columns;
  if (counts == 0 || counts > ML_MAX_READ_ROWS_REPLY_COUNTS) return ML_STATUS_BAD_REQUEST;
  op.units = r->row_count;
  op.reply.read_rows.count_count = (uint16_t)counts;
  return check_read(r->code, r->samples);
}

static uint8_t check_multiply(void) {
  const ml_multiply *r = &op.request.multiply;
  if (r->array >= description.arrays || r->range >= description.ranges) return ML_STATUS_BAD_ADDRESS;
  if (description.rows == 0 || r->code_count % description.rows != 0) return ML_STATUS_BAD_REQUEST;
  uint32_t vectors = r->code_count / description.rows;
  uint32_t counts = vectors * description.columns;
  if (counts == 0 || counts > ML_MAX_MULTIPLY_REPLY_COUNTS) return ML_STATUS_BAD_REQUEST;
  op.units = vectors;
  op.reply.multiply.count_count = (uint16_t)counts;
  return check_codes(r->codes, r->code_count, r->samples);
}

static uint8_t check_reference(void) {
  const ml_reference *r = &op.request.reference;
  bool open = r->reference == ML_OPEN_PATH;
  if (r->row >= description.rows || r->column >= description.columns || r->range >= description.ranges ||
      (!open && r->reference >= description.reference_count))
    return ML_STATUS_BAD_ADDRESS;
  if (r->code_count == 0) return ML_STATUS_BAD_REQUEST;
  op.units = r->code_count;
  op.reply.reference.count_count = r->code_count;
  return check_codes(r->codes, r->code_count, r->samples);
}

static uint8_t check_run(void) {
  const ml_run *r = &op.request.run;
  if (description.neurons == 0 || r->steps == 0 || r->steps > description.max_steps || r->decimation == 0 ||
      r->drive_count != (uint32_t)r->pulse_count * description.neurons)
    return ML_STATUS_BAD_REQUEST;
  for (uint32_t i = 0; i < r->pulse_count; i++)
    if (r->pulse_steps[i] >= r->steps || (i > 0 && r->pulse_steps[i] <= r->pulse_steps[i - 1]))
      return ML_STATUS_BAD_REQUEST;
  for (uint32_t i = 0; i < r->drive_count; i++)
    if (r->drives[i] > description.drive_max_count || -r->drives[i] > description.drive_max_count)
      return ML_STATUS_LIMIT_VOLTAGE;
  ml_run_reply *reply = &op.reply.run;
  reply->run = r->run;
  reply->status = ML_STATUS_OK;
  reply->frames = 0;
  reply->samples = 0;
  op.units = r->steps / r->decimation;
  hal_neurons_begin((uint8_t)r->pulse_count, r->pulse_steps, r->drives);
  return ML_STATUS_OK;
}

/* The next frame of samples; as many as it holds or the host wants in one. */
static void run_work(ml_answer *frame) {
  const ml_run *r = &op.request.run;
  ml_run_reply *reply = &op.reply.run;
  uint32_t count = ML_MAX_SAMPLES_COUNTS / description.neurons;
  if (r->frame_samples > 0 && count > r->frame_samples) count = r->frame_samples;
  if (count > op.units - op.done) count = op.units - op.done;
  samples.run = r->run;
  samples.frame = reply->frames;
  samples.step = (uint16_t)((op.done + 1) * r->decimation);
  samples.decimation = r->decimation;
  samples.count_count = (uint16_t)(count * description.neurons);
  hal_neurons_sample((uint16_t)count, r->decimation, samples.counts);
  frame->type = ML_ID_SAMPLES;
  frame->length = (uint16_t)ml_put_samples(&samples, frame->payload);
  reply->frames++;
  reply->samples = (uint16_t)(reply->samples + count);
  op.done += count;
}

static void work(void) {
  uint32_t i = op.done;
  switch (op.type) {
    case ML_ID_CELLS:
      op.reply.cells.results[i] = cell_operation(&op.request.cells.ops[i]);
      break;
    case ML_ID_READ_ROWS: {
      const ml_read_rows *r = &op.request.read_rows;
      hal_read_row(r->array, (uint8_t)(r->first_row + i), r->code, r->samples,
                   op.reply.read_rows.counts + i * description.columns);
      break;
    }
    case ML_ID_MULTIPLY: {
      const ml_multiply *r = &op.request.multiply;
      hal_multiply(r->array, r->range, r->samples, r->codes + i * description.rows,
                   op.reply.multiply.counts + i * description.columns);
      break;
    }
    case ML_ID_REFERENCE: {
      const ml_reference *r = &op.request.reference;
      op.reply.reference.counts[i] =
          hal_reference(r->row, r->column, r->reference, r->range, r->samples, r->codes[i]);
      break;
    }
    default:
      break;
  }
  op.done++;
}

static uint8_t check(const uint8_t *payload, uint32_t length) {
  switch (op.type) {
    case ML_ID_DESCRIBE:
      return ml_get_describe(&op.request.describe, payload, length) ? ML_STATUS_OK : ML_STATUS_BAD_REQUEST;
    case ML_ID_PING:
      return ml_get_ping(&op.request.ping, payload, length) ? ML_STATUS_OK : ML_STATUS_BAD_REQUEST;
    case ML_ID_STOP:
      return ml_get_stop(&op.request.stop, payload, length) ? ML_STATUS_OK : ML_STATUS_BAD_REQUEST;
    case ML_ID_CLAIM:
      if (fence.earlier) return ML_STATUS_UNSUPPORTED;
      return ml_get_claim(&op.request.claim, payload, length) ? check_claim() : ML_STATUS_BAD_REQUEST;
    case ML_ID_ARRAY_INFO:
      if (!ml_get_array_info(&op.request.array_info, payload, length)) return ML_STATUS_BAD_REQUEST;
      return op.request.array_info.array < description.arrays ? ML_STATUS_OK : ML_STATUS_BAD_ADDRESS;
    case ML_ID_CELLS:
      if (!ml_get_cells(&op.request.cells, payload, length)) return ML_STATUS_BAD_REQUEST;
      op.units = op.request.cells.op_count;
      op.reply.cells.result_count = op.request.cells.op_count;
      return ML_STATUS_OK;
    case ML_ID_READ_ROWS:
      return ml_get_read_rows(&op.request.read_rows, payload, length) ? check_read_rows() : ML_STATUS_BAD_REQUEST;
    case ML_ID_MULTIPLY:
      return ml_get_multiply(&op.request.multiply, payload, length) ? check_multiply() : ML_STATUS_BAD_REQUEST;
    case ML_ID_REFERENCE:
      return ml_get_reference(&op.request.reference, payload, length) ? check_reference() : ML_STATUS_BAD_REQUEST;
    case ML_ID_RUN:
      return ml_get_run(&op.request.run, payload, length) ? check_run() : ML_STATUS_BAD_REQUEST;
    default:
      return ML_STATUS_UNSUPPORTED;
  }
}

void ml_operation_begin(uint8_t type, const uint8_t *payload, uint32_t length) {
  op.type = type;
  op.detail = 0;
  op.units = 0;
  op.done = 0;
  op.status = check(payload, length);
}

static uint32_t put_reply(const ml_ping_reply *health, uint8_t *payload) {
  switch (op.type) {
    case ML_ID_DESCRIBE:
      return ml_put_describe_reply(&description, payload);
    case ML_ID_ARRAY_INFO:
      copy_text(op.reply.array_info.serial, hal_array_serial(op.request.array_info.array),
                sizeof op.reply.array_info.serial - 1);
      return ml_put_array_info_reply(&op.reply.array_info, payload);
    case ML_ID_PING:
      op.reply.ping = *health;
      op.reply.ping.pulses_applied = pulses_applied;
      return ml_put_ping_reply(&op.reply.ping, payload);
    case ML_ID_CELLS:
      return ml_put_cells_reply(&op.reply.cells, payload);
    case ML_ID_READ_ROWS:
      return ml_put_read_rows_reply(&op.reply.read_rows, payload);
    case ML_ID_MULTIPLY:
      return ml_put_multiply_reply(&op.reply.multiply, payload);
    case ML_ID_REFERENCE:
      return ml_put_reference_reply(&op.reply.reference, payload);
    case ML_ID_RUN:
      return ml_put_run_reply(&op.reply.run, payload);
    case ML_ID_CLAIM:
      return ml_put_claim_reply(&op.reply.claim, payload);
    default:
      return ml_put_stop_reply(&op.reply.stop, payload);
  }
}

/* What is told of a request that was cut short: what was done stays known. */
static void cut_short(void) {
  if (op.type == ML_ID_CELLS) {
    for (; op.done < op.units; op.done++)
      op.reply.cells.results[op.done] = (ml_cell_result){.status = ML_STATUS_STOPPED, .count = 0};
  } else if (op.type == ML_ID_RUN) {
    op.reply.run.status = ML_STATUS_STOPPED;
    op.units = op.done;
  } else {
    op.status = ML_STATUS_STOPPED;
  }
}

bool ml_operation_uses_lines(uint8_t type) {
  return type == ML_ID_CELLS || type == ML_ID_READ_ROWS || type == ML_ID_MULTIPLY || type == ML_ID_REFERENCE ||
         type == ML_ID_RUN;
}

bool ml_operation_streams(void) { return op.type == ML_ID_RUN && op.status == ML_STATUS_OK && op.done < op.units; }

ml_progress ml_operation_step(bool stopped, const ml_ping_reply *health, ml_answer *answer) {
  if (op.status == ML_STATUS_OK && op.done < op.units) {
    if (stopped) {
      cut_short();
    } else if (op.type == ML_ID_RUN) {
      run_work(answer);
      return ML_SENDS;
    } else {
      work();
    }
  }
  if (op.status != ML_STATUS_OK) {
    ml_refuse(answer, op.status, op.detail);
    return ML_FINISHED;
  }
  if (op.done < op.units) return ML_GOES_ON;
  answer->type = op.type | 0x80u;
  answer->length = (uint16_t)put_reply(health, answer->payload);
  return ML_FINISHED;
}
