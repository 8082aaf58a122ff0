#!/usr/bin/env bash
# All tests of the core under AddressSanitizer with leak detection, including the store's mappings and the C code.
#   checks/core/asan.sh [<test filter> ...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
rustup toolchain list | grep -q ^nightly || rustup toolchain install nightly --profile minimal
host=$(rustc -vV | sed -n 's/^host: //p')
# --target keeps build scripts and macros uninstrumented.
RUSTFLAGS="-Zsanitizer=address" ASAN_OPTIONS=detect_leaks=1 \
  cargo +nightly test --locked -p andiron --lib --target "$host" --target-dir target/asan -- "$@"
