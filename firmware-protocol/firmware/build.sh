#!/bin/sh
# Compiles the firmware to WebAssembly: build.sh [FILE]. Needs clang and lld (Debian: apt install clang lld).
set -e
cd "$(dirname "$0")"
out=${1:-../../assets/firmware.wasm}
# 16 arrays of 128 x 128 cells; memory fixed, so that views of it stay valid.
clang --target=wasm32 -std=c11 -O2 -ffreestanding -nostdlib -mbulk-memory \
  -Wall -Wextra -Wconversion -Werror -DML_CELLS=262144 \
  -Wl,--no-entry -Wl,--strip-debug -Wl,-z,stack-size=16384 \
  -Wl,--initial-memory=786432 -Wl,--max-memory=786432 \
  -o "$out" core.c frame.c operations.c protocol.c ports/wasm/port.c
