#!/bin/sh
# Compiles the firmware for the Raspberry Pi Pico (RP2040) with front end A: build.sh [FILE].
# Needs gcc-arm-none-eabi and libnewlib-arm-none-eabi (Debian), and node.
set -e
out=${1:-$(dirname "$0")/../../../../assets/pico.uf2}
out=$(cd "$(dirname "$out")" && pwd)/$(basename "$out")
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

# Names of files are in no message and no table, so that the same sources give the same bytes anywhere.
arm-none-eabi-gcc -mcpu=cortex-m0plus -mthumb \
  -std=gnu11 -Os -ffreestanding -ffunction-sections -fdata-sections \
  -Wall -Wextra -Wconversion -Werror -DML_CELLS=64 \
  ../../core.c ../../frame.c ../../operations.c ../../protocol.c \
  ../../front-ends/crossbar-a.c ../../front-ends/ad5676.c ../../front-ends/ads8688.c ../../front-ends/adg1414.c \
  ../cortex-m/cortex-m.c ../cortex-m/start.c \
  boot2.S bus.c clock.c flash-id.c hal.c main.c pins.c uart.c vectors.c \
  -nostartfiles -T rp2040.ld -Wl,--gc-sections -o "$work/pico.elf"
arm-none-eabi-size "$work/pico.elf"
arm-none-eabi-objcopy -O binary "$work/pico.elf" "$work/pico.bin"
node uf2.mjs "$work/pico.bin" "$out"
