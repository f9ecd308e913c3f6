#!/bin/sh
# The long runs, one after the other: run.sh [INPUTS]. Their logs go to dist/fuzz.
set -e
inputs=${1:-10000000}
cd "$(dirname "$0")/../.."
out=dist/fuzz
mkdir -p $out/corpus
firmware-protocol/fuzz/build.sh "$PWD/$out/core"
nice -n 19 $out/core $out/corpus -runs="$inputs" -seed=1 -max_len=128 -entropic=0 -print_final_stats=1 \
  -artifact_prefix=$out/ > $out/core.log 2>&1 || { tail -40 $out/core.log; exit 1; }
grep -E '^#[0-9]+.*DONE|^Done|^stat|inputs:' $out/core.log
MEMLOOP_FUZZ_INPUTS=$inputs nice -n 19 npx vitest run test/firmware-protocol/fuzz.test.ts -t codec --testTimeout=86400000 \
  | tee $out/codec.log
