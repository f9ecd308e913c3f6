#!/bin/sh
# Compiles the firmware to WebAssembly: build.sh [FILE]. Needs clang and lld (Debian: apt install clang lld).
set -e
cd "$(dirname "$0")"
out=${1:-../../assets/firmware.wasm}
objects=$(mktemp -d)
trap 'rm -r "$objects"' EXIT

# 16 arrays of 128 x 128 cells.
for source in core.c frame.c operations.c protocol.c ports/wasm/port.c; do
  clang --target=wasm32 -std=c11 -O2 -ffreestanding -mbulk-memory \
    -Wall -Wextra -Wconversion -Werror -DML_CELLS=262144 \
    -c -o "$objects/$(basename "$source" .c).o" "$source"
done
# Not through clang, which would run whatever wasm-opt it finds. Memory is fixed, so that views of it stay valid.
wasm-ld --no-entry --strip-debug --gc-sections -z stack-size=16384 \
  --initial-memory=786432 --max-memory=786432 \
  -o "$out" "$objects"/core.o "$objects"/frame.o "$objects"/operations.o "$objects"/protocol.o "$objects"/port.o
chmod 644 "$out"
