#!/usr/bin/env bash
# Runs every fuzzer for some seconds (or those named), one after the other, and says what each has tried.
#
#   tools/fuzz.sh <seconds> [target …]
#
# The fuzzers are libFuzzer's; coverage is counted by the compiler's own pass, which stable Rust has, so neither a
# nightly compiler nor cargo-fuzz is needed. An input that breaks something is left in fuzz/artifacts/<target>/; what
# was learnt is kept in fuzz/corpus/<target>/. The exit code is the number of targets that broke.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
seconds=${1:?seconds for each target}
shift
host=$(rustc -vV | sed -n 's/^host: //p')
folder=${CARGO_TARGET_DIR:-target}/fuzz

# `fuzzing` is what libFuzzer's crates ask for; a target of its own keeps build scripts and macros out of it.
RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=16" \
  cargo build --quiet --release --manifest-path fuzz/Cargo.toml --target "$host" --target-dir "$folder" || {
  echo "not ok - the fuzzers could not be built"
  exit 1
}

broken=0
targets=("$@")
[[ $# -gt 0 ]] || mapfile -t targets < <(cd fuzz/fuzz_targets && ls ./*.rs | sed 's|^\./||; s|\.rs$||')
for name in "${targets[@]}"; do
  mkdir -p "fuzz/corpus/$name" "fuzz/artifacts/$name"
  log=fuzz/artifacts/$name.log
  # A run without an end is one too: libFuzzer stops at an input that takes longer than five seconds.
  if "$folder/$host/release/$name" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=2048 -max_len=4096 \
    -artifact_prefix="fuzz/artifacts/$name/" -print_final_stats=1 "fuzz/corpus/$name" "fuzz/seeds/$name" >"$log" 2>&1; then
    echo "ok - $name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs in $seconds s"
  else
    echo "not ok - $name: see $log"
    grep -m 5 -E 'panicked|ERROR|SUMMARY|Test unit written' "$log" | sed 's/^/    /'
    broken=$((broken + 1))
  fi
done
exit "$broken"
