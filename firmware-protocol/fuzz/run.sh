#!/bin/sh
# The long runs, one after the other, and their summary in log.txt: run.sh [INPUTS]. Whole logs go to dist/fuzz.
# Needs clang, llvm and clang's compiler-rt (Debian 12: clang, llvm, libclang-rt-14-dev).
set -e
inputs=${1:-10000000}
cd "$(dirname "$0")/../.."
out=dist/fuzz
log=firmware-protocol/fuzz/log.txt
rm -rf $out
mkdir -p $out/corpus

firmware-protocol/fuzz/build.sh "$PWD/$out/core"
nice -n 19 $out/core $out/corpus -runs="$inputs" -seed=1 -max_len=128 -entropic=0 -print_final_stats=1 \
  -artifact_prefix=$out/ > $out/core.log 2>&1 || { tail -40 $out/core.log; exit 1; }

# What the kept inputs reach.
firmware-protocol/fuzz/build.sh "$PWD/$out/coverage" -fprofile-instr-generate -fcoverage-mapping
LLVM_PROFILE_FILE=$out/coverage.raw $out/coverage $out/corpus -runs=0 > /dev/null 2>&1
llvm-profdata merge -o $out/coverage.data $out/coverage.raw

MEMLOOP_FUZZ_INPUTS=$inputs NO_COLOR=1 nice -n 19 npx vitest run test/firmware-protocol/fuzz.test.ts -t codec \
  --testTimeout=86400000 > $out/codec.log 2>&1 || { tail -40 $out/codec.log; exit 1; }

{
  echo "npm run fuzz -- $inputs"
  echo
  echo "The C core: $(clang --version | head -1), AddressSanitizer, UBSan, libFuzzer"
  grep -E '^[0-9]+ inputs:|^stat::(number|average|new)' $out/core.log
  echo
  llvm-cov report $out/coverage -instr-profile=$out/coverage.data |
    awk '$1 ~ /firmware\/(core|operations|frame|protocol)\.c$/ { print $1 ": lines " $10 ", branches " $13 }'
  echo
  echo "The TypeScript codec: node $(node --version), fast-check"
  grep -E '^(payloads|line):|✓ takes' $out/codec.log
} > $log
cat $log
