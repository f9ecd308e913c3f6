#!/bin/sh
# Compiles the firmware to WebAssembly: build.sh [FOLDER]. Needs clang and lld (Debian: apt install clang lld).
set -e
folder=${1:-$(dirname "$0")/../../assets}
folder=$(cd "$folder" && pwd)
cd "$(dirname "$0")"
objects=$(mktemp -d)
trap 'rm -r "$objects"' EXIT

# build FILE CELLS BYTES SOURCE...: memory is fixed, so that views of it stay valid.
build() {
  out=$1 cells=$2 bytes=$3
  shift 3
  list=
  for source in core.c frame.c operations.c protocol.c ports/wasm/port.c "$@"; do
    object=$objects/$out.$(basename "$source" .c).o
    clang --target=wasm32 -std=c11 -O2 -ffreestanding -mbulk-memory \
      -Wall -Wextra -Wconversion -Werror -DML_CELLS="$cells" -c -o "$object" "$source"
    list="$list $object"
  done
  # Not through clang, which would run whatever wasm-opt it finds.
  # shellcheck disable=SC2086
  wasm-ld --no-entry --strip-debug --gc-sections -z stack-size=16384 \
    --initial-memory="$bytes" --max-memory="$bytes" -o "$folder/$out" $list
  chmod 644 "$folder/$out"
}

# Over simulated physics: 16 arrays of 128 x 128 cells.
build firmware.wasm 262144 786432 ports/wasm/physics.c
# The front end of a real board, over models of its chips.
build front-end.wasm 64 196608 front-ends/crossbar-a.c front-ends/ad5676.c front-ends/ads8688.c \
  front-ends/adg1414.c ports/wasm/bus.c
