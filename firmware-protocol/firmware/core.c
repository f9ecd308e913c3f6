/* Sessions, the order of requests, the cache of answers, the dead-man and what is sent when. README.md says
 * what this guarantees and why. */
#include "core.h"

#include "bytes.h"
#include "frame.h"
#include "hal.h"
#include "operations.h"

enum { EMPTY, WAITING, UNDER_WAY, ANSWERED };

/* One request from its arrival until WINDOW later ones have come: first its own bytes, then its answer. */
typedef struct {
  uint8_t state;
  bool stopped; /* finish at once */
  bool send;    /* the answer is to be sent (again) */
  uint32_t sequence;
  ml_answer content;
} ml_slot;

typedef struct {
  uint32_t session;
  uint32_t sequence;
  uint8_t status;
  uint32_t detail;
} ml_refusal;

#define REFUSALS 16u
#define NONCES 8u
#define NOTICES 4u

_Static_assert((ML_WINDOW & (ML_WINDOW - 1)) == 0, "slots must not jump when sequence numbers wrap");

static struct {
  uint32_t boot_id;
  uint32_t sessions; /* opened since boot */
  uint32_t session;  /* 0: none */
  bool earlier;      /* the session speaks the version before */
  uint32_t nonces[NONCES];

  uint32_t expected; /* sequence number that the next request to arrive must have */
  uint32_t next;     /* sequence number of the next request to be worked on */
  ml_slot slots[ML_WINDOW];

  bool hello_pending;
  uint32_t hello_nonce;
  uint32_t hello_session;
  uint32_t notices_pending; /* one bit a code */
  uint32_t notice_detail[NOTICES];
  ml_refusal refusals[REFUSALS];
  uint32_t refusals_first, refusals_count;

  bool armed; /* a host has spoken since the dead-man last acted */
  uint32_t heard_at;
  uint32_t fault;

  uint32_t clock; /* hal_now() when uptime was last advanced */
  uint32_t uptime_us, uptime_ms;
  uint32_t frames_received, crc_errors, duplicates;

  ml_decoder decoder;
  uint8_t out[ML_MAX_FRAME];
  uint32_t out_length, out_sent;
} board;

static ml_slot *slot_of(uint32_t sequence) { return &board.slots[sequence % ML_WINDOW]; }

static void notify(uint8_t code, uint32_t detail) {
  board.notices_pending |= 1u << code;
  board.notice_detail[code] = detail;
}

static void refuse(ml_header header, uint8_t status, uint32_t detail) {
  if (board.refusals_count == REFUSALS) return; /* the host asks again */
  uint32_t place = (board.refusals_first + board.refusals_count++) % REFUSALS;
  board.refusals[place] = (ml_refusal){header.session, header.sequence, status, detail};
}

/* All lines to 0 V, and everything that has arrived and is not yet answered ends. */
static void stop_all(void) {
  hal_lines_to_zero();
  for (uint32_t i = 0; i < ML_WINDOW; i++) board.slots[i].stopped = true;
}

/* ---- what comes in */

static uint32_t mix(uint32_t x) {
  x = (x ^ x >> 16) * 0x7feb352du;
  x = (x ^ x >> 15) * 0x846ca68bu;
  return x ^ x >> 16;
}

/* One-to-one in the count of sessions, so none comes twice in a boot; scattered even where boot ids are only
 * counted, so that another boot's session is met by a chance of 2^-32 at most. */
static uint32_t new_session(void) {
  uint32_t session = 0;
  while (session == 0) session = mix(mix(board.boot_id) + ++board.sessions);
  return session;
}

static uint32_t spoken(void) { return board.earlier ? ML_EARLIER_HASH : ML_PROTOCOL_HASH; }

static void hello(const ml_hello *hello) {
  bool newest_version = hello->protocol_version == ML_PROTOCOL_VERSION && hello->protocol_hash == ML_PROTOCOL_HASH;
  bool earlier = hello->protocol_version == ML_EARLIER_VERSION && hello->protocol_hash == ML_EARLIER_HASH;
  bool ours = newest_version || earlier;
  if (ours) {
    uint32_t known = board.sessions < NONCES ? board.sessions : NONCES;
    uint32_t newest = (board.sessions + NONCES - 1) % NONCES;
    bool repeated = board.session != 0 && board.nonces[newest] == hello->nonce;
    for (uint32_t i = 0; i < known && !repeated; i++)
      if (board.nonces[i] == hello->nonce) return; /* a late copy of a Hello whose session has ended */
    if (!repeated) {
      stop_all();
      for (uint32_t i = 0; i < ML_WINDOW; i++) {
        board.slots[i].state = EMPTY;
        board.slots[i].send = false;
      }
      board.session = new_session();
      board.earlier = earlier;
      board.decoder.hash = spoken();
      ml_operations_session(earlier);
      board.nonces[(board.sessions + NONCES - 1) % NONCES] = hello->nonce;
      board.expected = 1;
      board.next = 1;
      board.refusals_count = 0;
    }
  }
  board.hello_pending = true;
  board.hello_nonce = hello->nonce;
  board.hello_session = ours ? board.session : 0;
}

static void request(ml_header header, const uint8_t *payload, uint32_t length) {
  if (header.session != board.session || board.session == 0) {
    refuse(header, ML_STATUS_NO_SESSION, board.boot_id);
    return;
  }
  uint32_t ahead = header.sequence - board.expected;
  ml_slot *slot = slot_of(header.sequence);
  if (ahead == 0) {
    bool taken = slot->state == WAITING || slot->state == UNDER_WAY || slot->send;
    if (taken) {
      refuse(header, ML_STATUS_BUSY, 0);
      return;
    }
    if (header.type == ML_ID_STOP) stop_all();
    board.expected++;
    slot->state = WAITING;
    slot->stopped = false;
    slot->sequence = header.sequence;
    slot->content.type = header.type;
    slot->content.length = (uint16_t)length;
    __builtin_memcpy(slot->content.payload, payload, length);
  } else if (ahead < UINT32_MAX / 2) {
    /* Safety does not wait for a lost frame; the Stop itself will come again in its turn. */
    if (header.type == ML_ID_STOP) stop_all();
    refuse(header, ML_STATUS_OUT_OF_ORDER, board.expected);
  } else if (slot->state != EMPTY && slot->sequence == header.sequence) {
    board.duplicates++;
    if (slot->state == ANSWERED) slot->send = true;
    else refuse(header, ML_STATUS_BUSY, 0); /* so that the host knows that we live */
  } else {
    refuse(header, ML_STATUS_EXPIRED, board.expected);
  }
}

static void frame(ml_header header, const uint8_t *payload, uint32_t length) {
  /* A board's own frames come back from a cable that is looped: they are no sign of a host. */
  if (header.type >= 0x80u) return;
  ml_hello content;
  if (header.type == ML_ID_HELLO && !ml_get_hello(&content, payload, length)) return;
  board.frames_received++;
  board.armed = true;
  board.heard_at = hal_now();
  if (header.type == ML_ID_HELLO) hello(&content);
  else request(header, payload, length);
}

void ml_receive(const uint8_t *bytes, uint32_t count) {
  ml_header header;
  uint32_t length;
  for (uint32_t i = 0; i < count; i++) {
    ml_decoded decoded = ml_frame_decode(&board.decoder, bytes[i], &header, &length);
    if (decoded == ML_FRAME) frame(header, board.decoder.body + ML_HEADER_SIZE, length);
    else if (decoded == ML_DAMAGED) board.crc_errors++;
  }
}

/* ---- what goes out */

static bool line_is_free(void) { return board.out_length == 0; }

static void send(ml_header header, const uint8_t *payload, uint32_t length) {
  board.out_length = ml_frame_encode(header, payload, length, spoken(), board.out);
  board.out_sent = 0;
}

/* What stands in a slot, an answer or a frame before it. */
static void send_content(const ml_slot *slot) {
  send((ml_header){slot->content.type, board.session, slot->sequence}, slot->content.payload, slot->content.length);
}

static void send_hello_reply(void) {
  bool earlier = board.hello_session != 0 && board.earlier;
  ml_hello_reply reply = {
      .nonce = board.hello_nonce,
      .protocol_version = earlier ? ML_EARLIER_VERSION : ML_PROTOCOL_VERSION,
      .protocol_hash = earlier ? ML_EARLIER_HASH : ML_PROTOCOL_HASH,
      .boot_id = board.boot_id,
      .session = board.hello_session,
  };
  copy_text(reply.firmware_version, hal_firmware_version(), sizeof reply.firmware_version - 1);
  copy_text(reply.board_serial, hal_board_serial(), sizeof reply.board_serial - 1);
  uint8_t payload[sizeof reply];
  board.hello_pending = false;
  send((ml_header){ML_ID_HELLO_REPLY, 0, 0}, payload, ml_put_hello_reply(&reply, payload));
}

static void send_notice(void) {
  uint8_t code = 0;
  while (!(board.notices_pending >> code & 1u)) code++;
  board.notices_pending &= ~(1u << code);
  ml_notice notice = {.code = code, .detail = board.notice_detail[code]};
  uint8_t payload[sizeof notice];
  send((ml_header){ML_ID_NOTICE, 0, 0}, payload, ml_put_notice(&notice, payload));
}

static void send_refusal(void) {
  ml_refusal *refusal = &board.refusals[board.refusals_first];
  board.refusals_first = (board.refusals_first + 1) % REFUSALS;
  board.refusals_count--;
  ml_refused refused = {.status = refusal->status, .detail = refusal->detail};
  uint8_t payload[sizeof refused];
  send((ml_header){ML_ID_REFUSED, refusal->session, refusal->sequence}, payload, ml_put_refused(&refused, payload));
}

/* The oldest answer that is to be sent. */
static bool send_answer(void) {
  for (uint32_t sequence = board.expected - ML_WINDOW; sequence != board.expected; sequence++) {
    ml_slot *slot = slot_of(sequence);
    if (!slot->send) continue;
    slot->send = false;
    send_content(slot);
    return true;
  }
  return false;
}

/* Hands over as much as there is room for; true if that was anything. */
static bool transmit(void) {
  if (line_is_free()) {
    if (board.hello_pending) send_hello_reply();
    else if (board.notices_pending) send_notice();
    else if (board.refusals_count > 0) send_refusal();
    else if (!send_answer()) return false;
  }
  uint32_t count = board.out_length - board.out_sent;
  uint32_t space = hal_transmit_space();
  if (count > space) count = space;
  if (count == 0) return false;
  hal_transmit(board.out + board.out_sent, count);
  board.out_sent += count;
  if (board.out_sent == board.out_length) board.out_length = 0;
  return true;
}

/* ---- what is done in between */

static void keep_time(void) {
  uint32_t now = hal_now();
  board.uptime_us += now - board.clock;
  board.clock = now;
  board.uptime_ms += board.uptime_us / 1000u;
  board.uptime_us %= 1000u;
  if (!board.armed) return;
  float silence = (float)(now - board.heard_at) * 1e-6f;
  if (silence < ml_dead_man_time()) return;
  board.armed = false;
  stop_all();
  notify(ML_NOTICE_CODE_DEAD_MAN, 0);
}

static void watch_front_end(void) {
  uint32_t fault = hal_fault();
  if (fault != 0) {
    stop_all();
    if (fault != board.fault) notify(ML_NOTICE_CODE_FAULT, fault);
  }
  board.fault = fault;
}

static bool work(void) {
  if (board.next == board.expected) return false;
  ml_slot *slot = slot_of(board.next);
  if (slot->state == WAITING) {
    bool refused = slot->stopped && ml_operation_uses_lines(slot->content.type);
    if (!refused) {
      slot->state = UNDER_WAY;
      ml_operation_begin(slot->content.type, slot->content.payload, slot->content.length);
      return true;
    }
    ml_refuse(&slot->content, ML_STATUS_STOPPED, 0);
  } else {
    if (!slot->stopped && ml_operation_streams() && !line_is_free()) return false;
    ml_ping_reply health = {.uptime = board.uptime_ms,
                            .frames_received = board.frames_received,
                            .crc_errors = board.crc_errors,
                            .duplicates = board.duplicates};
    ml_progress progress = ml_operation_step(slot->stopped, &health, &slot->content);
    if (progress == ML_SENDS) send_content(slot);
    if (progress != ML_FINISHED) return true;
  }
  slot->state = ANSWERED;
  slot->send = true;
  board.next++;
  return true;
}

bool ml_poll(void) {
  keep_time();
  watch_front_end();
  bool sent = transmit();
  bool worked = work();
  return sent || worked;
}

void ml_boot(void) {
  __builtin_memset(&board, 0, sizeof board);
  hal_lines_to_zero();
  ml_frame_boot();
  board.decoder.hash = spoken();
  board.boot_id = hal_entropy();
  ml_operations_boot(board.boot_id);
  board.clock = hal_now();
  notify(ML_NOTICE_CODE_BOOTED, board.boot_id);
}
