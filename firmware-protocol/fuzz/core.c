/* The firmware core under libFuzzer: any bytes, any frames with a right CRC, any order, clock, line and fault, to a
 * front end that stops the run when something reaches it that the limits forbid, or reaches it twice.
 *
 * An input is a list of steps. Most steps are requests of the session that runs, with a payload of the input's own
 * bytes, so that the operations are reached and not only the framing. */
#include "../firmware/core.c"

#include <stdio.h>
#include <stdlib.h>

/* operations.c beside this: which operation of its request is under way. */
uint32_t ml_operation_done(void);
/* Whether the session that runs has claimed the board with the highest token, if there is one. */
bool ml_operation_may_pulse(void);

#define ROWS 4
#define COLUMNS 3
#define ARRAYS 2
#define NEURONS 2
#define MAX_PULSES 20

#define MUST(CONDITION)                                      \
  do {                                                       \
    if (!(CONDITION)) {                                      \
      fprintf(stderr, "%d: not %s\n", __LINE__, #CONDITION); \
      abort();                                               \
    }                                                        \
  } while (0)

static const ml_describe_reply description_of_board = {
    .arrays = ARRAYS,
    .rows = ROWS,
    .columns = COLUMNS,
    .neurons = NEURONS,
    .row_volts_per_count = 0.001f,
    .row_max_count = 2000,
    .ranges = 2,
    .amps_per_count = {1e-9f, 1e-7f},
    .current_max_count = 32000,
    .drive_amps_per_count = 1e-9f,
    .drive_max_count = 1000,
    .membrane_volts_per_count = 1e-5f,
    .membrane_max_count = 32000,
    .step_time = 1e-5f,
    .max_steps = 1500,
    .series_resistance = 20e3f,
    .half_select = 0.5f,
    .max_voltage = 0.75f,
    .min_voltage = -1.0f,
    .max_read_voltage = 0.2f,
    .read_time = 5e-4f,
    .min_width = 2.5e-6f,
    .max_width = 5e-4f,
    .max_energy = 2e-9f,
    .max_pulses = MAX_PULSES,
    .dead_man_time = 1.0f,
    .reference_count = 2,
    .references = {1e4f, 1e5f},
};

/* Of all inputs; printed at the end. */
static struct {
  unsigned long long inputs, requests, pulses, reads, samples, refused, answers, dead_men;
} total;

static struct {
  uint32_t now, fault, space, boots;
  uint32_t pulses_of[ARRAYS][ROWS][COLUMNS];
  uint32_t pulses, pulses_told; /* since boot */
  uint32_t zeroed;
  bool used; /* a line has been driven since the last time at 0 V */
  /* The last pulse: of which session and request, and which of its operations. */
  uint32_t session, sequence, operation;
} world;

/* One for each version that the board speaks: the last frame of a session may come when the next has begun. */
static ml_decoder host_decoders[2];

static void forget_half_frames(void) {
  __builtin_memset(host_decoders, 0, sizeof host_decoders);
  host_decoders[0].hash = ML_PROTOCOL_HASH;
  host_decoders[1].hash = ML_EARLIER_HASH;
}

static void lines_used(void) {
  MUST(world.fault == 0);
  world.used = true;
}

static void check_read(int16_t code, uint8_t samples) {
  MUST(code <= 200 && code >= -200);
  MUST(samples > 0);
  total.reads++;
  lines_used();
}

const ml_describe_reply *hal_description(void) { return &description_of_board; }
const char *hal_firmware_version(void) { return "fuzz"; }
const char *hal_board_serial(void) { return "a board whose serial number is far too long for its field"; }
const char *hal_array_serial(uint8_t array) {
  MUST(array < ARRAYS);
  return "array";
}
uint32_t hal_now(void) { return world.now; }
uint32_t hal_entropy(void) { return ++world.boots; }
uint32_t hal_transmit_space(void) { return world.space; }
uint32_t hal_fault(void) { return world.fault; }
void hal_lines_to_zero(void) {
  world.zeroed++;
  world.used = false;
}

void hal_pulse(uint8_t array, uint8_t row, uint8_t column, int16_t code, uint16_t width) {
  MUST(array < ARRAYS && row < ROWS && column < COLUMNS);
  MUST(code >= -1000 && code <= 750);
  MUST(width >= 25 && width <= 5000);
  double voltage = code * 1e-3;
  MUST(voltage * voltage / 80e3 * width * 1e-7 <= 2e-9 * (1 + 1e-5));
  MUST(++world.pulses_of[array][row][column] <= MAX_PULSES);
  world.pulses++;
  /* Sessions end for ever; requests and their operations are executed in order: never one again. */
  uint32_t sequence = board.next;
  uint32_t operation = ml_operation_done();
  MUST(board.session != 0);
  MUST(ml_operation_may_pulse());
  if (world.session == board.session) {
    uint32_t ahead = sequence - world.sequence;
    MUST(ahead < UINT32_MAX / 2 && (ahead > 0 || operation > world.operation));
  }
  world.session = board.session;
  world.sequence = sequence;
  world.operation = operation;
  lines_used();
  total.pulses++;
}

int16_t hal_read_cell(uint8_t array, uint8_t row, uint8_t column, int16_t code, uint8_t samples) {
  MUST(array < ARRAYS && row < ROWS && column < COLUMNS);
  check_read(code, samples);
  return code;
}

void hal_read_row(uint8_t array, uint8_t row, int16_t code, uint8_t samples, int16_t *counts) {
  MUST(array < ARRAYS && row < ROWS);
  check_read(code, samples);
  for (int i = 0; i < COLUMNS; i++) counts[i] = code;
}

void hal_multiply(uint8_t array, uint8_t range, uint8_t samples, const int16_t *codes, int16_t *counts) {
  MUST(array < ARRAYS && range < 2);
  for (int i = 0; i < ROWS; i++) check_read(codes[i], samples);
  for (int i = 0; i < COLUMNS; i++) counts[i] = codes[i];
}

int16_t hal_reference(uint8_t row, uint8_t column, uint8_t reference, uint8_t range, uint8_t samples, int16_t code) {
  MUST(row < ROWS && column < COLUMNS && range < 2 && (reference < 2 || reference == 255));
  check_read(code, samples);
  return code;
}

void hal_neurons_begin(uint8_t pulses, const uint16_t *pulse_steps, const int16_t *drives) {
  for (int i = 0; i < pulses; i++) {
    MUST(pulse_steps[i] < 1500 && (i == 0 || pulse_steps[i] > pulse_steps[i - 1]));
    for (int n = 0; n < NEURONS; n++) MUST(drives[i * NEURONS + n] <= 1000 && drives[i * NEURONS + n] >= -1000);
  }
  lines_used();
}

void hal_neurons_sample(uint16_t samples_wanted, uint16_t decimation, int16_t *counts) {
  MUST(samples_wanted > 0 && decimation > 0 && (uint32_t)samples_wanted * decimation <= 1500);
  MUST(samples_wanted * NEURONS <= ML_MAX_SAMPLES_COUNTS);
  for (int i = 0; i < samples_wanted * NEURONS; i++) counts[i] = (int16_t)i;
  lines_used();
  total.samples++;
}

/* Whatever the board sends must be a frame that a host can read. */
static void hear(const ml_header *header, const uint8_t *payload, uint32_t length) {
  static union {
#define MEMBER(ID, name) ml_##name name;
    ML_MESSAGES(MEMBER)
#undef MEMBER
  } message;
  bool good = false;
  switch (header->type) {
#define CASE(ID, name)                                       \
  case ML_ID_##ID:                                           \
    good = ml_get_##name(&message.name, payload, length);    \
    break;
    ML_MESSAGES(CASE)
#undef CASE
    default:
      break;
  }
  MUST(good && header->type >= 0x80u);
  total.answers++;
  if (header->type == ML_ID_PING_REPLY) world.pulses_told = message.ping_reply.pulses_applied;
  if (header->type == ML_ID_REFUSED) total.refused++;
  if (header->type == ML_ID_NOTICE && message.notice.code == ML_NOTICE_CODE_DEAD_MAN) total.dead_men++;
}

void hal_transmit(const uint8_t *bytes, uint32_t count) {
  MUST(count > 0 && count <= world.space);
  world.space -= count;
  ml_header header;
  uint32_t length;
  for (uint32_t i = 0; i < count; i++) {
    ml_decoded of_ours = ml_frame_decode(&host_decoders[0], bytes[i], &header, &length);
    ml_decoded of_earlier = ml_frame_decode(&host_decoders[1], bytes[i], &header, &length);
    MUST(of_ours != ML_DAMAGED || of_earlier != ML_DAMAGED);
    if (of_ours == ML_FRAME || of_earlier == ML_FRAME)
      hear(&header, host_decoders[0].body + ML_HEADER_SIZE, length);
  }
}

static void poll(void) {
  uint32_t zeroed = world.zeroed;
  bool silent = board.armed && (float)(world.now - board.heard_at) * 1e-6f >= 1.0f;
  ml_poll();
  /* The dead-man and a fault act in the poll that sees them. */
  if (silent || world.fault) MUST(world.zeroed > zeroed && !world.used);
}

static void settle(uint32_t polls) {
  for (uint32_t i = 0; i < polls; i++) poll();
}

/* ---- inputs */

static const uint8_t *input, *input_end;

static uint32_t next_byte(void) { return input < input_end ? *input++ : 0; }

static uint32_t next_bytes(uint8_t *to, uint32_t count) {
  if (count > (uint32_t)(input_end - input)) count = (uint32_t)(input_end - input);
  if (count > 0) __builtin_memcpy(to, input, count);
  input += count;
  return count;
}

static uint32_t payload_of_input(uint8_t *payload) {
  uint32_t count = next_byte();
  count = next_bytes(payload, count < 250 ? count : ML_MAX_PAYLOAD);
  return count;
}

/* Cell operations that are near the limits, in place of the few bytes that the input gives for each. */
static uint32_t cells_of_input(uint8_t *payload) {
  static const int16_t codes[] = {500, -800, 750, 751, -1000, -1001, 200, 201, -200, 100, 2000, -2001, 0, -32768, 32767, -400};
  static const uint16_t widths[] = {24, 25, 26, 100, 1000, 3555, 3556, 4999, 5000, 5001, 65535, 0, 2000, 1600, 1601, 500};
  static ml_cells cells;
  cells.op_count = (uint16_t)(next_byte() % 24);
  for (uint32_t i = 0; i < cells.op_count; i++) {
    uint32_t where = next_byte(), what = next_byte();
    cells.ops[i] = (ml_cell_op){
        .kind = where & 1u ? ML_OP_KIND_PULSE : ML_OP_KIND_READ,
        .array = (uint8_t)((where >> 1) % 3),
        .row = (uint8_t)((where >> 2) % 5),
        .column = (uint8_t)((where >> 4) % 4),
        .code = codes[what & 15u],
        .width = widths[what >> 4],
        .samples = (uint8_t)(where >> 6),
    };
  }
  return ml_put_cells(&cells, payload);
}

/* Reads, multiplications and references of which most are allowed; gives the type. */
static uint8_t reading_of_input(uint8_t *payload, uint32_t *length) {
  static const int16_t codes[] = {200, -200, 100, -100, 0, 1, -1, 50, 150, -150, 199, -199, 10, 201, -201, -32768};
  static ml_multiply multiply;
  static ml_reference reference;
  uint32_t what = next_byte(), where = next_byte();
  uint8_t array = (uint8_t)(where % 3), samples_wanted = (uint8_t)(where >> 5);
  if (what % 3 == 0) {
    ml_read_rows rows = {.array = array, .first_row = (uint8_t)(what >> 6), .row_count = (uint8_t)(where >> 2 & 3u),
                         .code = codes[what >> 2 & 15u], .samples = samples_wanted};
    *length = ml_put_read_rows(&rows, payload);
    return ML_ID_READ_ROWS;
  }
  if (what % 3 == 1) {
    multiply.array = array;
    multiply.range = (uint8_t)(where >> 2 & 1u);
    multiply.samples = samples_wanted;
    multiply.code_count = (uint16_t)((what >> 5) * ROWS);
    for (uint32_t i = 0; i < multiply.code_count; i++) multiply.codes[i] = codes[next_byte() & 15u];
    *length = ml_put_multiply(&multiply, payload);
    return ML_ID_MULTIPLY;
  }
  reference.row = (uint8_t)(what >> 5);
  reference.column = array;
  reference.reference = (uint8_t)((where >> 2 & 3u) - 1);
  reference.range = (uint8_t)(where >> 4 & 1u);
  reference.samples = samples_wanted;
  reference.code_count = (uint16_t)(what >> 2 & 7u);
  for (uint32_t i = 0; i < reference.code_count; i++) reference.codes[i] = codes[next_byte() & 15u];
  *length = ml_put_reference(&reference, payload);
  return ML_ID_REFERENCE;
}

static void send_frame(uint8_t type, uint32_t session, uint32_t sequence, const uint8_t *payload, uint32_t length) {
  static uint8_t wire[ML_MAX_FRAME + 16];
  uint32_t count = ml_frame_encode((ml_header){type, session, sequence}, payload, length, board.decoder.hash, wire);
  ml_receive(wire, count);
  total.requests++;
}

static void claim(uint32_t token) {
  uint8_t payload[16];
  ml_claim content = {.boot_id = board.boot_id - (token == 7), .token_low = token};
  send_frame(ML_ID_CLAIM, board.session, board.expected, payload, ml_put_claim(&content, payload));
}

static void say_hello(uint32_t nonce) {
  uint8_t payload[16];
  ml_hello greeting = {.nonce = nonce, .protocol_version = ML_PROTOCOL_VERSION, .protocol_hash = ML_PROTOCOL_HASH};
  send_frame(ML_ID_HELLO, 0, 0, payload, ml_put_hello(&greeting, payload));
}

static void boot(void) {
  uint32_t boots = world.boots;
  forget_half_frames();
  ml_boot();
  MUST(world.boots == boots + 1 && !world.used);
  __builtin_memset(world.pulses_of, 0, sizeof world.pulses_of);
  world.session = 0;
  world.pulses = 0;
}

static void step(void) {
  static uint8_t payload[ML_MAX_PAYLOAD + 8];
  uint32_t what = next_byte();
  uint32_t argument = what >> 4;
  switch (what & 15u) {
    case 0: { /* bytes as they are */
      uint32_t count = payload_of_input(payload);
      ml_receive(payload, count);
      break;
    }
    case 1: { /* the next request, of any type and content */
      uint8_t type = (uint8_t)next_byte();
      send_frame(type, board.session, board.expected, payload, payload_of_input(payload));
      break;
    }
    case 2: { /* of a known type, and content of its own or of ours */
      static const uint8_t types[] = {ML_ID_READ_ROWS, ML_ID_MULTIPLY, ML_ID_RUN, ML_ID_REFERENCE,
                                      ML_ID_ARRAY_INFO, ML_ID_CELLS, ML_ID_PING, ML_ID_DESCRIBE};
      if (argument >= 8) {
        uint32_t length;
        uint8_t type = reading_of_input(payload, &length);
        send_frame(type, board.session, board.expected, payload, length);
        break;
      }
      send_frame(types[argument], board.session, board.expected, payload, payload_of_input(payload));
      break;
    }
    case 3:
    case 4: /* operations on cells */
      send_frame(ML_ID_CELLS, board.session, board.expected, payload, cells_of_input(payload));
      break;
    case 5: /* a request before or after the expected one: lost, repeated or late frames */
      send_frame(ML_ID_CELLS, board.session, board.expected + argument - 12, payload, cells_of_input(payload));
      break;
    case 6: /* of another session */
      send_frame((uint8_t)next_byte(), board.session + argument, board.expected, payload, payload_of_input(payload));
      break;
    case 7:
      if (argument < 8) say_hello(argument);
      else claim(argument - 8);
      break;
    case 8:
      send_frame(ML_ID_STOP, board.session, board.expected + (argument & 1u), payload, 0);
      break;
    case 9: { /* a run that is allowed */
      ml_run run = {.run = (uint16_t)argument, .steps = (uint16_t)((1 + next_byte()) * (argument == 0 ? 5 : 1)), .decimation = (uint16_t)(1 + argument)};
      run.pulse_count = 1;
      run.drive_count = NEURONS;
      run.drives[0] = (int16_t)(next_byte() * 8);
      send_frame(ML_ID_RUN, board.session, board.expected, payload, ml_put_run(&run, payload));
      break;
    }
    case 10: /* time passes */
      world.now += argument == 15 ? 1000001u : argument * 50000u;
      break;
    case 11:
      world.fault = argument % 3;
      poll();
      break;
    case 12: /* the line takes so many bytes, or all again */
      world.space = argument == 0 ? UINT32_MAX : argument * 40;
      break;
    case 13:
      if (argument == 0) boot();
      else if (argument == 1 && board.next == board.expected) { /* requests of years later */
        board.expected = board.next = UINT32_MAX - 3;
        world.sequence = UINT32_MAX - 4;
        for (uint32_t i = 0; i < ML_WINDOW; i++) {
          board.slots[i].state = EMPTY;
          board.slots[i].send = false;
        }
      }
      break;
    case 14: /* as long as a frame may be, and longer */
      if (argument == 0) {
        uint32_t length = ML_MAX_PAYLOAD - 8 + next_byte() % 17;
        __builtin_memset(payload, (int)next_byte(), length);
        send_frame(ML_ID_CELLS, board.session, board.expected, payload, length);
        break;
      }
      settle(argument);
      break;
    default:
      settle(argument * 4 + 1);
      break;
  }
}

static void print_total(void) {
  fprintf(stderr,
          "%llu inputs: %llu frames with a right CRC, %llu pulses, %llu reads, %llu frames of samples, %llu answers of "
          "which %llu refusals, %llu dead-man notices; nothing outside the limits, no pulse twice\n",
          total.inputs, total.requests, total.pulses, total.reads, total.samples, total.answers, total.refused,
          total.dead_men);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc;
  (void)argv;
  atexit(print_total);
  return 0;
}

static void settle_all(void) {
  for (uint32_t i = 0; ml_poll(); i++) MUST(i < 200000);
  MUST(board.next == board.expected && line_is_free() && board.refusals_count == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  __builtin_memset(&world, 0, sizeof world);
  forget_half_frames();
  world.space = UINT32_MAX;
  boot();
  say_hello(1000);
  settle(4);
  MUST(board.session != 0);
  input = data;
  input_end = data + size;
  while (input < input_end) step();
  /* From here on nothing disturbs: everything is answered, and a Ping tells the pulses that were applied. */
  world.fault = 0;
  world.space = UINT32_MAX;
  settle_all();
  if (board.session != 0) {
    send_frame(ML_ID_PING, board.session, board.expected, NULL, 0);
    settle_all();
    MUST(world.pulses_told == world.pulses);
  }
  total.inputs++;
  return 0;
}
