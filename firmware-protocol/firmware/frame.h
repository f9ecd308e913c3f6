/* Frames on the wire: 0x00 | COBS(type u8 | session u32 | sequence u32 | payload | crc u32) | 0x00.
 * See frame.ts and README.md. */
#ifndef MEMLOOP_FRAME_H
#define MEMLOOP_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol.h"

#define ML_MAX_BODY (ML_HEADER_SIZE + ML_MAX_PAYLOAD + ML_CRC_SIZE)
#define ML_MAX_FRAME (2u + ML_MAX_BODY + (ML_MAX_BODY + 253u) / 254u)

typedef struct {
  uint8_t type;
  uint32_t session;
  uint32_t sequence;
} ml_header;

/* Once, before the others. */
void ml_frame_boot(void);

/* Writes a frame of at most ML_MAX_FRAME bytes and returns its length. `hash`: of the protocol that is spoken. */
uint32_t ml_frame_encode(ml_header header, const uint8_t *payload, uint32_t length, uint32_t hash, uint8_t *out);

typedef struct {
  uint32_t hash; /* of the protocol that is spoken; set by the owner */
  uint8_t body[ML_MAX_BODY];
  uint32_t length; /* bytes decoded of the frame under way */
  uint8_t left;    /* bytes left in its COBS block */
  bool zero;       /* a zero stands between this block and the next */
  bool begun;      /* the frame has any bytes */
  bool overlong;   /* it is too long: skip to the next delimiter */
} ml_decoder;

typedef enum { ML_NOTHING, ML_FRAME, ML_DAMAGED } ml_decoded;

/* Takes one byte. On ML_FRAME the payload is decoder->body + ML_HEADER_SIZE, valid until the next byte. */
ml_decoded ml_frame_decode(ml_decoder *decoder, uint8_t byte, ml_header *header, uint32_t *length);

#endif
