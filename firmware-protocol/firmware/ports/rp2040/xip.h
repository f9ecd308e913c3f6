/* The interface to the flash chip, from which the program runs. For C and for the assembler. */
#ifndef MEMLOOP_XIP_H
#define MEMLOOP_XIP_H

#define XIP_SSI 0x18000000
#define SSI_CONTROL0 0x00
#define SSI_CONTROL1 0x04
#define SSI_ENABLE 0x08
#define SSI_SLAVE_ENABLE 0x10
#define SSI_BAUD 0x14
#define SSI_STATUS 0x28
#define SSI_DATA 0x60
#define SSI_SPI_CONTROL0 0xf4

#define SSI_DIVIDER 4
/* Frames of 32 bits, reads that begin with an instruction: 03h, 24 bits of address. */
#define SSI_CONTROL0_XIP ((31 << 16) | (3 << 8))
#define SSI_SPI_CONTROL0_XIP ((3 << 24) | (2 << 8) | (6 << 2))
/* Frames of 8 bits, both ways. */
#define SSI_CONTROL0_BYTES (7 << 16)

#endif
