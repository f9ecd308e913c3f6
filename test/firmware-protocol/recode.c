/* Reads frames in hex, one a line, and writes each again after decoding and encoding it with the C codec. */
#include <stdio.h>
#include <string.h>

#include "frame.h"

static union {
#define MEMBER(ID, name) ml_##name name;
  ML_MESSAGES(MEMBER)
#undef MEMBER
} message;

static bool recode(uint8_t type, const uint8_t *payload, uint32_t length, uint8_t *out, uint32_t *out_length) {
  switch (type) {
#define CASE(ID, name)                                                    \
  case ML_ID_##ID:                                                        \
    if (!ml_get_##name(&message.name, payload, length)) return false;     \
    *out_length = ml_put_##name(&message.name, out);                      \
    return true;
    ML_MESSAGES(CASE)
#undef CASE
    default:
      return false;
  }
}

int main(void) {
  static ml_decoder decoder = {.hash = ML_PROTOCOL_HASH};
  static uint8_t payload[ML_MAX_PAYLOAD], wire[ML_MAX_FRAME];
  ml_frame_boot();
  unsigned byte;
  int c;
  while ((c = getchar()) != EOF) {
    if (c == '\n') {
      putchar('\n');
      continue;
    }
    ungetc(c, stdin);
    if (scanf("%2x", &byte) != 1) return 1;
    ml_header header;
    uint32_t length;
    ml_decoded decoded = ml_frame_decode(&decoder, (uint8_t)byte, &header, &length);
    if (decoded == ML_DAMAGED) printf("damaged");
    if (decoded != ML_FRAME) continue;
    if (!recode(header.type, decoder.body + ML_HEADER_SIZE, length, payload, &length)) {
      printf("malformed");
      continue;
    }
    length = ml_frame_encode(header, payload, length, ML_PROTOCOL_HASH, wire);
    for (uint32_t i = 0; i < length; i++) printf("%02x", wire[i]);
  }
  return 0;
}
