/* The first 256 bytes of flash: the boot ROM copies them to RAM and jumps there if their checksum, which uf2.mjs
 * puts into the last four, is right. Sets the flash interface to plain serial reads (command 03h), which every
 * flash chip knows, and starts the program. */
#include "xip.h"

    .syntax unified
    .cpu cortex-m0plus
    .thumb
    .section .boot2, "ax"
boot2:
    ldr r3, =XIP_SSI
    movs r1, #0
    str r1, [r3, #SSI_ENABLE]
    movs r1, #SSI_DIVIDER
    str r1, [r3, #SSI_BAUD]
    ldr r1, =SSI_CONTROL0_XIP
    str r1, [r3, #SSI_CONTROL0]
    movs r1, #0
    str r1, [r3, #SSI_CONTROL1]
    ldr r1, =SSI_SPI_CONTROL0_XIP
    ldr r0, =XIP_SSI + SSI_SPI_CONTROL0
    str r1, [r0]
    movs r1, #1
    str r1, [r3, #SSI_ENABLE]
    ldr r0, =0x10000100 /* the vector table */
    ldr r1, =0xe000ed08 /* VTOR */
    str r0, [r1]
    ldmia r0, {r0, r1}
    msr msp, r0
    bx r1
    .pool
