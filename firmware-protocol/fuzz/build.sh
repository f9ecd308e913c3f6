#!/bin/sh
# Compiles the firmware core with libFuzzer, AddressSanitizer and UBSan: build.sh FILE [FLAG...].
# Needs clang and its compiler-rt (Debian 12: clang, libclang-rt-14-dev).
set -e
out=$1
shift
cd "$(dirname "$0")"
# Comparisons are not traced: that takes most of the time, and the harness needs no help to guess values.
clang -std=c11 -O3 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
  -fno-sanitize-coverage=trace-cmp "$@" -Wall -Wextra -Wconversion -Werror -DML_CELLS=64 \
  core.c operations.c ../firmware/frame.c ../firmware/protocol.c -o "$out"
