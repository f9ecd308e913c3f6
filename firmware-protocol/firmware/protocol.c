/* Generated from protocol.json by generate.mjs (npm run protocol). Do not edit. */
#include "protocol.h"

#include "bytes.h"

static bool is_status(uint8_t v) {
  return v == 0 || v == 1 || v == 2 || v == 3 || v == 4 || v == 5 || v == 6 || v == 7 || v == 8 || v == 9 || v == 10 || v == 11 || v == 12 || v == 13;
}

static bool is_op_kind(uint8_t v) {
  return v == 1 || v == 2;
}

static bool is_notice_code(uint8_t v) {
  return v == 1 || v == 2 || v == 3;
}

bool ml_get_hello(ml_hello *m, const uint8_t *b, uint32_t length) {
  const uint8_t *end = b + length;
  if (length < 10u) return false;
  m->nonce = (uint32_t)get_u32(b);
  b += 4;
  m->protocol_version = (uint16_t)get_u16(b);
  b += 2;
  m->protocol_hash = (uint32_t)get_u32(b);
  b += 4;
  return b == end;
}

uint32_t ml_put_hello(const ml_hello *m, uint8_t *b) {
  uint8_t *start = b;
  put_u32(b, (uint32_t)m->nonce);
  b += 4;
  put_u16(b, (uint16_t)m->protocol_version);
  b += 2;
  put_u32(b, (uint32_t)m->protocol_hash);
  b += 4;
  return (uint32_t)(b - start);
}

bool ml_get_hello_reply(ml_hello_reply *m, const uint8_t *b, uint32_t length) {
  const uint8_t *end = b + length;
  if (length < 20u) return false;
  m->nonce = (uint32_t)get_u32(b);
  b += 4;
  m->protocol_version = (uint16_t)get_u16(b);
  b += 2;
  m->protocol_hash = (uint32_t)get_u32(b);
  b += 4;
  m->boot_id = (uint32_t)get_u32(b);
  b += 4;
  m->session = (uint32_t)get_u32(b);
  b += 4;
  {
    uint32_t count = *b++;
    if (count > 24u || (uint32_t)(end - b) < count + 1u) return false;
    for (uint32_t i = 0; i < count; i++) m->firmware_version[i] = (char)b[i];
    m->firmware_version[count] = 0;
    b += count;
  }
  {
    uint32_t count = *b++;
    if (count > 32u || (uint32_t)(end - b) < count) return false;
    for (uint32_t i = 0; i < count; i++) m->board_serial[i] = (char)b[i];
    m->board_serial[count] = 0;
    b += count;
  }
  return b == end;
}

uint32_t ml_put_hello_reply(const ml_hello_reply *m, uint8_t *b) {
  uint8_t *start = b;
  put_u32(b, (uint32_t)m->nonce);
  b += 4;
  put_u16(b, (uint16_t)m->protocol_version);
  b += 2;
  put_u32(b, (uint32_t)m->protocol_hash);
  b += 4;
  put_u32(b, (uint32_t)m->boot_id);
  b += 4;
  put_u32(b, (uint32_t)m->session);
  b += 4;
  {
    uint8_t count = 0;
    while (count < 24u && m->firmware_version[count]) {
      b[1 + count] = (uint8_t)m->firmware_version[count];
      count++;
    }
    *b = count;
    b += 1 + count;
  }
  {
    uint8_t count = 0;
    while (count < 32u && m->board_serial[count]) {
      b[1 + count] = (uint8_t)m->board_serial[count];
      count++;
    }
    *b = count;
    b += 1 + count;
  }
  return (uint32_t)(b - start);
}

bool ml_get_describe(ml_describe *m, const uint8_t *b, uint32_t length) {
  (void)b;
  m->empty = 0;
  return length == 0;
}

uint32_t ml_put_describe(const ml_describe *m, uint8_t *b) {
  (void)m;
  (void)b;
  return 0;
}

bool ml_get_describe_reply(ml_describe_reply *m, const uint8_t *b, uint32_t length) {
  const uint8_t *end = b + length;
  if (length < 80u) return false;
  m->arrays = *(b);
  b += 1;
  m->rows = (uint16_t)get_u16(b);
  b += 2;
  m->columns = (uint16_t)get_u16(b);
  b += 2;
  m->neurons = *(b);
  b += 1;
  m->row_volts_per_count = get_f32(b);
  if (!is_finite(m->row_volts_per_count)) return false;
  b += 4;
  m->row_max_count = (int16_t)get_u16(b);
  b += 2;
  m->ranges = get_u16(b);
  b += 2;
  if (m->ranges > 4u || (uint32_t)(end - b) < m->ranges * 4u + 66u) return false;
  for (uint32_t i = 0; i < m->ranges; i++, b += 4) {
    m->amps_per_count[i] = get_f32(b);
    if (!is_finite(m->amps_per_count[i])) return false;
  }
  m->current_max_count = (int16_t)get_u16(b);
  b += 2;
  m->drive_amps_per_count = get_f32(b);
  if (!is_finite(m->drive_amps_per_count)) return false;
  b += 4;
  m->drive_max_count = (int16_t)get_u16(b);
  b += 2;
  m->membrane_volts_per_count = get_f32(b);
  if (!is_finite(m->membrane_volts_per_count)) return false;
  b += 4;
  m->membrane_max_count = (int16_t)get_u16(b);
  b += 2;
  m->step_time = get_f32(b);
  if (!is_finite(m->step_time)) return false;
  b += 4;
  m->max_steps = (uint16_t)get_u16(b);
  b += 2;
  m->series_resistance = get_f32(b);
  if (!is_finite(m->series_resistance)) return false;
  b += 4;
  m->half_select = get_f32(b);
  if (!is_finite(m->half_select)) return false;
  b += 4;
  m->max_voltage = get_f32(b);
  if (!is_finite(m->max_voltage)) return false;
  b += 4;
  m->min_voltage = get_f32(b);
  if (!is_finite(m->min_voltage)) return false;
  b += 4;
  m->max_read_voltage = get_f32(b);
  if (!is_finite(m->max_read_voltage)) return false;
  b += 4;
  m->read_time = get_f32(b);
  if (!is_finite(m->read_time)) return false;
  b += 4;
  m->min_width = get_f32(b);
  if (!is_finite(m->min_width)) return false;
  b += 4;
  m->max_width = get_f32(b);
  if (!is_finite(m->max_width)) return false;
  b += 4;
  m->max_energy = get_f32(b);
  if (!is_finite(m->max_energy)) return false;
  b += 4;
  m->max_pulses = (uint32_t)get_u32(b);
  b += 4;
  m->dead_man_time = get_f32(b);
  if (!is_finite(m->dead_man_time)) return false;
  b += 4;
  m->reference_count = get_u16(b);
  b += 2;
  if (m->reference_count > 8u || (uint32_t)(end - b) < m->reference_count * 4u) return false;
  for (uint32_t i = 0; i < m->reference_count; i++, b += 4) {
    m->references[i] = get_f32(b);
    if (!is_finite(m->references[i])) return false;
  }
  return b == end;
}

uint32_t ml_put_describe_reply(const ml_describe_reply *m, uint8_t *b) {
  uint8_t *start = b;
  *(b) = (uint8_t)m->arrays;
  b += 1;
  put_u16(b, (uint16_t)m->rows);
  b += 2;
  put_u16(b, (uint16_t)m->columns);
  b += 2;
  *(b) = (uint8_t)m->neurons;
  b += 1;
  put_f32(b, m->row_volts_per_count);
  b += 4;
  put_u16(b, (uint16_t)m->row_max_count);
  b += 2;
  put_u16(b, m->ranges);
  b += 2;
  for (uint32_t i = 0; i < m->ranges; i++, b += 4) {
    put_f32(b, m->amps_per_count[i]);
  }
  put_u16(b, (uint16_t)m->current_max_count);
  b += 2;
  put_f32(b, m->drive_amps_per_count);
  b += 4;
  put_u16(b, (uint16_t)m->drive_max_count);
  b += 2;
  put_f32(b, m->membrane_volts_per_count);
  b += 4;
  put_u16(b, (uint16_t)m->membrane_max_count);
  b += 2;
  put_f32(b, m->step_time);
  b += 4;
  put_u16(b, (uint16_t)m->max_steps);
  b += 2;
  put_f32(b, m->series_resistance);
  b += 4;
  put_f32(b, m->half_select);
  b += 4;
  put_f32(b, m->max_voltage);
  b += 4;
  put_f32(b, m->min_voltage);
  b += 4;
  put_f32(b, m->max_read_voltage);
  b += 4;
  put_f32(b, m->read_time);
  b += 4;
  put_f32(b, m->min_width);
  b += 4;
  put_f32(b, m->max_width);
  b += 4;
  put_f32(b, m->max_energy);
  b += 4;
  put_u32(b, (uint32_t)m->max_pulses);
  b += 4;
  put_f32(b, m->dead_man_time);
  b += 4;
  put_u16(b, m->reference_count);
  b += 2;
  for (uint32_t i = 0; i < m->reference_count; i++, b += 4) {
    put_f32(b, m->references[i]);
  }
  return (uint32_t)(b - start);
}

bool ml_get_array_info(ml_array_info *m, const uint8_t *b, uint32_t length) {
  const uint8_t *end = b + length;
  if (length < 1u) return false;
  m->array = *(b);
  b += 1;
  return b == end;
}

uint32_t ml_put_array_info(const ml_array_info *m, uint8_t *b) {
  uint8_t *start = b;
  *(b) = (uint8_t)m->array;
  b += 1;
  return (uint32_t)(b - start);
}

bool ml_get_array_info_reply(ml_array_info_reply *m, const uint8_t *b, uint32_t length) {
  const uint8_t *end = b + length;
  if (length < 1u) return false;
  {
    uint32_t count = *b++;
    if (count > 32u || (uint32_t)(end - b) < count) return false;
    for (uint32_t i = 0; i < count; i++) m->serial[i] = (char)b[i];
    m->serial[count] = 0;
    b += count;
  }
  return b == end;
}

uint32_t ml_put_array_info_reply(const ml_array_info_reply *m, uint8_t *b) {
  uint8_t *start = b;
  {
    uint8_t count = 0;
    while (count < 32u && m->serial[count]) {
      b[1 + count] = (uint8_t)m->serial[count];
      count++;
    }
    *b = count;
    b += 1 + count;
  }
  return (uint32_t)(b - start);
}

bool ml_get_ping(ml_ping *m, const uint8_t *b, uint32_t length) {
  (void)b;
  m->empty = 0;
  return length == 0;
}

uint32_t ml_put_ping(const ml_ping *m, uint8_t *b) {
  (void)m;
  (void)b;
  return 0;
}

bool ml_get_ping_reply(ml_ping_reply *m, const uint8_t *b, uint32_t length) {
  const uint8_t *end = b + length;
  if (length < 20u) return false;
  m->uptime = (uint32_t)get_u32(b);
  b += 4;
  m->frames_received = (uint32_t)get_u32(b);
  b += 4;
  m->crc_errors = (uint32_t)get_u32(b);
  b += 4;
  m->duplicates = (uint32_t)get_u32(b);
  b += 4;
  m->pulses_applied = (uint32_t)get_u32(b);
  b += 4;
  return b == end;
}

uint32_t ml_put_ping_reply(const ml_ping_reply *m, uint8_t *b) {
  uint8_t *start = b;
  put_u32(b, (uint32_t)m->uptime);
  b += 4;
  put_u32(b, (uint32_t)m->frames_received);
  b += 4;
  put_u32(b, (uint32_t)m->crc_errors);
  b += 4;
  put_u32(b, (uint32_t)m->duplicates);
  b += 4;
  put_u32(b, (uint32_t)m->pulses_applied);
  b += 4;
  return (uint32_t)(b - start);
}

bool ml_get_cells(ml_cells *m, const uint8_t *b, uint32_t length) {
  const uint8_t *end = b + length;
  if (length < 2u) return false;
  m->op_count = get_u16(b);
  b += 2;
  if (m->op_count > 200u || (uint32_t)(end - b) < m->op_count * 9u) return false;
  for (uint32_t i = 0; i < m->op_count; i++, b += 9) {
    m->ops[i].kind = *(b);
    if (!is_op_kind(m->ops[i].kind)) return false;
    m->ops[i].array = *(b + 1);
    m->ops[i].row = *(b + 2);
    m->ops[i].column = *(b + 3);
    m->ops[i].code = (int16_t)get_u16(b + 4);
    m->ops[i].width = (uint16_t)get_u16(b + 6);
    m->ops[i].samples = *(b + 8);
  }
  return b == end;
}

uint32_t ml_put_cells(const ml_cells *m, uint8_t *b) {
  uint8_t *start = b;
  put_u16(b, m->op_count);
  b += 2;
  for (uint32_t i = 0; i < m->op_count; i++, b += 9) {
    *(b) = (uint8_t)m->ops[i].kind;
    *(b + 1) = (uint8_t)m->ops[i].array;
    *(b + 2) = (uint8_t)m->ops[i].row;
    *(b + 3) = (uint8_t)m->ops[i].column;
    put_u16(b + 4, (uint16_t)m->ops[i].code);
    put_u16(b + 6, (uint16_t)m->ops[i].width);
    *(b + 8) = (uint8_t)m->ops[i].samples;
  }
  return (uint32_t)(b - start);
}

bool ml_get_cells_reply(ml_cells_reply *m, const uint8_t *b, uint32_t length) {
  const uint8_t *end = b + length;
  if (length < 2u) return false;
  m->result_count = get_u16(b);
  b += 2;
  if (m->result_count > 200u || (uint32_t)(end - b) < m->result_count * 3u) return false;
  for (uint32_t i = 0; i < m->result_count; i++, b += 3) {
    m->results[i].status = *(b);
    if (!is_status(m->results[i].status)) return false;
    m->results[i].count = (int16_t)get_u16(b + 1);
  }
  return b == end;
}

uint32_t ml_put_cells_reply(const ml_cells_reply *m, uint8_t *b) {
  uint8_t *start = b;
  put_u16(b, m->result_count);
  b += 2;
  for (uint32_t i = 0; i < m->result_count; i++, b += 3) {
    *(b) = (uint8_t)m->results[i].status;
    put_u16(b + 1, (uint16_t)m->results[i].count);
  }
  return (uint32_t)(b - start);
}

bool ml_get_read_rows(ml_read_rows *m, const uint8_t *b, uint32_t length) {
  const uint8_t *end = b + length;
  if (length < 6u) return false;
  m->array = *(b);
  b += 1;
  m->first_row = *(b);
  b += 1;
  m->row_count = *(b);
  b += 1;
  m->code = (int16_t)get_u16(b);
  b += 2;
  m->samples = *(b);
  b += 1;
  return b == end;
}

uint32_t ml_put_read_rows(const ml_read_rows *m, uint8_t *b) {
  uint8_t *start = b;
  *(b) = (uint8_t)m->array;
  b += 1;
  *(b) = (uint8_t)m->first_row;
  b += 1;
  *(b) = (uint8_t)m->row_count;
  b += 1;
  put_u16(b, (uint16_t)m->code);
  b += 2;
  *(b) = (uint8_t)m->samples;
  b += 1;
  return (uint32_t)(b - start);
}

bool ml_get_read_rows_reply(ml_read_rows_reply *m, const uint8_t *b, uint32_t length) {
  const uint8_t *end = b + length;
  if (length < 2u) return false;
  m->count_count = get_u16(b);
  b += 2;
  if (m->count_count > 1020u || (uint32_t)(end - b) < m->count_count * 2u) return false;
  for (uint32_t i = 0; i < m->count_count; i++, b += 2) {
    m->counts[i] = (int16_t)get_u16(b);
  }
  return b == end;
}

uint32_t ml_put_read_rows_reply(const ml_read_rows_reply *m, uint8_t *b) {
  uint8_t *start = b;
  put_u16(b, m->count_count);
  b += 2;
  for (uint32_t i = 0; i < m->count_count; i++, b += 2) {
    put_u16(b, (uint16_t)m->counts[i]);
  }
  return (uint32_t)(b - start);
}

bool ml_get_multiply(ml_multiply *m, const uint8_t *b, uint32_t length) {
  const uint8_t *end = b + length;
  if (length < 5u) return false;
  m->array = *(b);
  b += 1;
  m->range = *(b);
  b += 1;
  m->samples = *(b);
  b += 1;
  m->code_count = get_u16(b);
  b += 2;
  if (m->code_count > 1020u || (uint32_t)(end - b) < m->code_count * 2u) return false;
  for (uint32_t i = 0; i < m->code_count; i++, b += 2) {
    m->codes[i] = (int16_t)get_u16(b);
  }
  return b == end;
}

uint32_t ml_put_multiply(const ml_multiply *m, uint8_t *b) {
  uint8_t *start = b;
  *(b) = (uint8_t)m->array;
  b += 1;
  *(b) = (uint8_t)m->range;
  b += 1;
  *(b) = (uint8_t)m->samples;
  b += 1;
  put_u16(b, m->code_count);
  b += 2;
  for (uint32_t i = 0; i < m->code_count; i++, b += 2) {
    put_u16(b, (uint16_t)m->codes[i]);
  }
  return (uint32_t)(b - start);
}

bool ml_get_multiply_reply(ml_multiply_reply *m, const uint8_t *b, uint32_t length) {
  const uint8_t *end = b + length;
  if (length < 2u) return false;
  m->count_count = get_u16(b);
  b += 2;
  if (m->count_count > 1020u || (uint32_t)(end - b) < m->count_count * 2u) return false;
  for (uint32_t i = 0; i < m->count_count; i++, b += 2) {
    m->counts[i] = (int16_t)get_u16(b);
  }
  return b == end;
}

uint32_t ml_put_multiply_reply(const ml_multiply_reply *m, uint8_t *b) {
  uint8_t *start = b;
  put_u16(b, m->count_count);
  b += 2;
  for (uint32_t i = 0; i < m->count_count; i++, b += 2) {
    put_u16(b, (uint16_t)m->counts[i]);
  }
  return (uint32_t)(b - start);
}

bool ml_get_run(ml_run *m, const uint8_t *b, uint32_t length) {
  const uint8_t *end = b + length;
  if (length < 12u) return false;
  m->run = (uint16_t)get_u16(b);
  b += 2;
  m->steps = (uint16_t)get_u16(b);
  b += 2;
  m->decimation = (uint16_t)get_u16(b);
  b += 2;
  m->frame_samples = (uint16_t)get_u16(b);
  b += 2;
  m->pulse_count = get_u16(b);
  b += 2;
  if (m->pulse_count > 32u || (uint32_t)(end - b) < m->pulse_count * 2u + 2u) return false;
  for (uint32_t i = 0; i < m->pulse_count; i++, b += 2) {
    m->pulse_steps[i] = (uint16_t)get_u16(b);
  }
  m->drive_count = get_u16(b);
  b += 2;
  if (m->drive_count > 900u || (uint32_t)(end - b) < m->drive_count * 2u) return false;
  for (uint32_t i = 0; i < m->drive_count; i++, b += 2) {
    m->drives[i] = (int16_t)get_u16(b);
  }
  return b == end;
}

uint32_t ml_put_run(const ml_run *m, uint8_t *b) {
  uint8_t *start = b;
  put_u16(b, (uint16_t)m->run);
  b += 2;
  put_u16(b, (uint16_t)m->steps);
  b += 2;
  put_u16(b, (uint16_t)m->decimation);
  b += 2;
  put_u16(b, (uint16_t)m->frame_samples);
  b += 2;
  put_u16(b, m->pulse_count);
  b += 2;
  for (uint32_t i = 0; i < m->pulse_count; i++, b += 2) {
    put_u16(b, (uint16_t)m->pulse_steps[i]);
  }
  put_u16(b, m->drive_count);
  b += 2;
  for (uint32_t i = 0; i < m->drive_count; i++, b += 2) {
    put_u16(b, (uint16_t)m->drives[i]);
  }
  return (uint32_t)(b - start);
}

bool ml_get_run_reply(ml_run_reply *m, const uint8_t *b, uint32_t length) {
  const uint8_t *end = b + length;
  if (length < 7u) return false;
  m->run = (uint16_t)get_u16(b);
  b += 2;
  m->status = *(b);
  if (!is_status(m->status)) return false;
  b += 1;
  m->frames = (uint16_t)get_u16(b);
  b += 2;
  m->samples = (uint16_t)get_u16(b);
  b += 2;
  return b == end;
}

uint32_t ml_put_run_reply(const ml_run_reply *m, uint8_t *b) {
  uint8_t *start = b;
  put_u16(b, (uint16_t)m->run);
  b += 2;
  *(b) = (uint8_t)m->status;
  b += 1;
  put_u16(b, (uint16_t)m->frames);
  b += 2;
  put_u16(b, (uint16_t)m->samples);
  b += 2;
  return (uint32_t)(b - start);
}

bool ml_get_reference(ml_reference *m, const uint8_t *b, uint32_t length) {
  const uint8_t *end = b + length;
  if (length < 7u) return false;
  m->row = *(b);
  b += 1;
  m->column = *(b);
  b += 1;
  m->reference = *(b);
  b += 1;
  m->range = *(b);
  b += 1;
  m->samples = *(b);
  b += 1;
  m->code_count = get_u16(b);
  b += 2;
  if (m->code_count > 64u || (uint32_t)(end - b) < m->code_count * 2u) return false;
  for (uint32_t i = 0; i < m->code_count; i++, b += 2) {
    m->codes[i] = (int16_t)get_u16(b);
  }
  return b == end;
}

uint32_t ml_put_reference(const ml_reference *m, uint8_t *b) {
  uint8_t *start = b;
  *(b) = (uint8_t)m->row;
  b += 1;
  *(b) = (uint8_t)m->column;
  b += 1;
  *(b) = (uint8_t)m->reference;
  b += 1;
  *(b) = (uint8_t)m->range;
  b += 1;
  *(b) = (uint8_t)m->samples;
  b += 1;
  put_u16(b, m->code_count);
  b += 2;
  for (uint32_t i = 0; i < m->code_count; i++, b += 2) {
    put_u16(b, (uint16_t)m->codes[i]);
  }
  return (uint32_t)(b - start);
}

bool ml_get_reference_reply(ml_reference_reply *m, const uint8_t *b, uint32_t length) {
  const uint8_t *end = b + length;
  if (length < 2u) return false;
  m->count_count = get_u16(b);
  b += 2;
  if (m->count_count > 64u || (uint32_t)(end - b) < m->count_count * 2u) return false;
  for (uint32_t i = 0; i < m->count_count; i++, b += 2) {
    m->counts[i] = (int16_t)get_u16(b);
  }
  return b == end;
}

uint32_t ml_put_reference_reply(const ml_reference_reply *m, uint8_t *b) {
  uint8_t *start = b;
  put_u16(b, m->count_count);
  b += 2;
  for (uint32_t i = 0; i < m->count_count; i++, b += 2) {
    put_u16(b, (uint16_t)m->counts[i]);
  }
  return (uint32_t)(b - start);
}

bool ml_get_stop(ml_stop *m, const uint8_t *b, uint32_t length) {
  (void)b;
  m->empty = 0;
  return length == 0;
}

uint32_t ml_put_stop(const ml_stop *m, uint8_t *b) {
  (void)m;
  (void)b;
  return 0;
}

bool ml_get_stop_reply(ml_stop_reply *m, const uint8_t *b, uint32_t length) {
  (void)b;
  m->empty = 0;
  return length == 0;
}

uint32_t ml_put_stop_reply(const ml_stop_reply *m, uint8_t *b) {
  (void)m;
  (void)b;
  return 0;
}

bool ml_get_claim(ml_claim *m, const uint8_t *b, uint32_t length) {
  const uint8_t *end = b + length;
  if (length < 12u) return false;
  m->boot_id = (uint32_t)get_u32(b);
  b += 4;
  m->token_high = (uint32_t)get_u32(b);
  b += 4;
  m->token_low = (uint32_t)get_u32(b);
  b += 4;
  return b == end;
}

uint32_t ml_put_claim(const ml_claim *m, uint8_t *b) {
  uint8_t *start = b;
  put_u32(b, (uint32_t)m->boot_id);
  b += 4;
  put_u32(b, (uint32_t)m->token_high);
  b += 4;
  put_u32(b, (uint32_t)m->token_low);
  b += 4;
  return (uint32_t)(b - start);
}

bool ml_get_claim_reply(ml_claim_reply *m, const uint8_t *b, uint32_t length) {
  (void)b;
  m->empty = 0;
  return length == 0;
}

uint32_t ml_put_claim_reply(const ml_claim_reply *m, uint8_t *b) {
  (void)m;
  (void)b;
  return 0;
}

bool ml_get_samples(ml_samples *m, const uint8_t *b, uint32_t length) {
  const uint8_t *end = b + length;
  if (length < 10u) return false;
  m->run = (uint16_t)get_u16(b);
  b += 2;
  m->frame = (uint16_t)get_u16(b);
  b += 2;
  m->step = (uint16_t)get_u16(b);
  b += 2;
  m->decimation = (uint16_t)get_u16(b);
  b += 2;
  m->count_count = get_u16(b);
  b += 2;
  if (m->count_count > 1000u || (uint32_t)(end - b) < m->count_count * 2u) return false;
  for (uint32_t i = 0; i < m->count_count; i++, b += 2) {
    m->counts[i] = (int16_t)get_u16(b);
  }
  return b == end;
}

uint32_t ml_put_samples(const ml_samples *m, uint8_t *b) {
  uint8_t *start = b;
  put_u16(b, (uint16_t)m->run);
  b += 2;
  put_u16(b, (uint16_t)m->frame);
  b += 2;
  put_u16(b, (uint16_t)m->step);
  b += 2;
  put_u16(b, (uint16_t)m->decimation);
  b += 2;
  put_u16(b, m->count_count);
  b += 2;
  for (uint32_t i = 0; i < m->count_count; i++, b += 2) {
    put_u16(b, (uint16_t)m->counts[i]);
  }
  return (uint32_t)(b - start);
}

bool ml_get_notice(ml_notice *m, const uint8_t *b, uint32_t length) {
  const uint8_t *end = b + length;
  if (length < 5u) return false;
  m->code = *(b);
  if (!is_notice_code(m->code)) return false;
  b += 1;
  m->detail = (uint32_t)get_u32(b);
  b += 4;
  return b == end;
}

uint32_t ml_put_notice(const ml_notice *m, uint8_t *b) {
  uint8_t *start = b;
  *(b) = (uint8_t)m->code;
  b += 1;
  put_u32(b, (uint32_t)m->detail);
  b += 4;
  return (uint32_t)(b - start);
}

bool ml_get_refused(ml_refused *m, const uint8_t *b, uint32_t length) {
  const uint8_t *end = b + length;
  if (length < 5u) return false;
  m->status = *(b);
  if (!is_status(m->status)) return false;
  b += 1;
  m->detail = (uint32_t)get_u32(b);
  b += 4;
  return b == end;
}

uint32_t ml_put_refused(const ml_refused *m, uint8_t *b) {
  uint8_t *start = b;
  *(b) = (uint8_t)m->status;
  b += 1;
  put_u32(b, (uint32_t)m->detail);
  b += 4;
  return (uint32_t)(b - start);
}
