#!/bin/sh
# Compiles the firmware for QEMU's netduinoplus2 (STM32F405): build.sh [FILE].
# Needs gcc-arm-none-eabi and libnewlib-arm-none-eabi (Debian).
set -e
cd "$(dirname "$0")"
out=${1:-../../../../dist/firmware/netduinoplus2.elf}
mkdir -p "$(dirname "$out")"

# Pulses of 16 384 cells are counted: 32 kB.
arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16 \
  -std=gnu11 -Os -g -ffreestanding -ffunction-sections -fdata-sections \
  -Wall -Wextra -Wconversion -Werror -DML_CELLS=16384 \
  ../../core.c ../../frame.c ../../operations.c ../../protocol.c \
  ../cortex-m/cortex-m.c ../cortex-m/restart.c ../cortex-m/start.c clock.c front-end.c hal.c main.c uart.c vectors.c \
  -nostartfiles -T netduinoplus2.ld -Wl,--gc-sections -o "$out"
arm-none-eabi-size "$out"
