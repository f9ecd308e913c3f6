#!/bin/sh
# Builds the stand-in for the WaveForms library into dist/, where `memloop mock --as waveforms` looks for it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
dist="$here/../../../../dist"
mkdir -p "$dist"
case $(uname -s) in Darwin) ending=dylib ;; *) ending=so ;; esac
${CC:-cc} -std=gnu11 -O2 -Wall -Wextra -Werror -shared -fPIC -pthread "$here/libdwf.c" -o "$dist/libdwf.$ending.new"
mv "$dist/libdwf.$ending.new" "$dist/libdwf.$ending"
