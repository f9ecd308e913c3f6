#include "frame.h"

#include "bytes.h"

/* CRC-32 (IEEE, reflected) of every byte. */
static uint32_t crc_of[256];

void ml_frame_boot(void) {
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1u ? 0xedb88320u : 0u);
    crc_of[i] = crc;
  }
}

static uint32_t crc_byte(uint32_t crc, uint8_t byte) { return crc >> 8 ^ crc_of[(crc ^ byte) & 0xffu]; }

/* Frames of another protocol never pass; Hello and its reply must, so that both sides can say who they are. */
static uint32_t crc_start(uint8_t type, uint32_t hash) {
  bool plain = type == ML_ID_HELLO || type == ML_ID_HELLO_REPLY;
  return plain ? 0xffffffffu : 0xffffffffu ^ hash;
}

typedef struct {
  uint8_t *code; /* where the length of the block under way will stand */
  uint8_t *to;
} cobs;

/* A full block is closed only when another byte follows: none stands empty at the end. */
static void cobs_put(cobs *c, uint8_t byte) {
  if (c->to - c->code == 255) {
    *c->code = 255;
    c->code = c->to++;
  }
  if (byte != 0) {
    *c->to++ = byte;
    return;
  }
  *c->code = (uint8_t)(c->to - c->code);
  c->code = c->to++;
}

uint32_t ml_frame_encode(ml_header header, const uint8_t *payload, uint32_t length, uint32_t hash, uint8_t *out) {
  uint8_t head[ML_HEADER_SIZE];
  head[0] = header.type;
  put_u32(head + 1, header.session);
  put_u32(head + 5, header.sequence);

  out[0] = 0;
  cobs c = {.code = out + 1, .to = out + 2};
  uint32_t crc = crc_start(header.type, hash);
  for (uint32_t i = 0; i < ML_HEADER_SIZE; i++) {
    crc = crc_byte(crc, head[i]);
    cobs_put(&c, head[i]);
  }
  for (uint32_t i = 0; i < length; i++) {
    crc = crc_byte(crc, payload[i]);
    cobs_put(&c, payload[i]);
  }
  uint8_t tail[ML_CRC_SIZE];
  put_u32(tail, ~crc);
  for (uint32_t i = 0; i < ML_CRC_SIZE; i++) cobs_put(&c, tail[i]);
  *c.code = (uint8_t)(c.to - c.code);
  *c.to++ = 0;
  return (uint32_t)(c.to - out);
}

static ml_decoded finish(ml_decoder *d, ml_header *header, uint32_t *length) {
  if (d->overlong || d->left > 0 || d->length < ML_HEADER_SIZE + ML_CRC_SIZE) return ML_DAMAGED;
  uint32_t end = d->length - ML_CRC_SIZE;
  uint32_t crc = crc_start(d->body[0], d->hash);
  for (uint32_t i = 0; i < end; i++) crc = crc_byte(crc, d->body[i]);
  if (~crc != get_u32(d->body + end)) return ML_DAMAGED;
  header->type = d->body[0];
  header->session = get_u32(d->body + 1);
  header->sequence = get_u32(d->body + 5);
  *length = end - ML_HEADER_SIZE;
  return ML_FRAME;
}

ml_decoded ml_frame_decode(ml_decoder *d, uint8_t byte, ml_header *header, uint32_t *length) {
  if (byte == 0) {
    ml_decoded decoded = d->begun ? finish(d, header, length) : ML_NOTHING;
    d->length = 0;
    d->left = 0;
    d->zero = false;
    d->begun = false;
    d->overlong = false;
    return decoded;
  }
  d->begun = true;
  if (d->overlong) return ML_NOTHING;
  if (d->left > 0) {
    d->body[d->length++] = byte;
    d->left--;
    return ML_NOTHING;
  }
  if (d->length + (d->zero ? 1u : 0u) + byte - 1u > ML_MAX_BODY) {
    d->overlong = true;
    return ML_NOTHING;
  }
  if (d->zero) d->body[d->length++] = 0;
  d->left = (uint8_t)(byte - 1);
  d->zero = byte != 255;
  return ML_NOTHING;
}
