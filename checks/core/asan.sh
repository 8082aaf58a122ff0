#!/usr/bin/env bash
# The core's tests under AddressSanitizer with leak detection: everything, the store's mappings and C included.
#   checks/core/asan.sh [<test filter> ...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
rustup toolchain list | grep -q ^nightly || rustup toolchain install nightly --profile minimal
host=$(rustc -vV | sed -n 's/^host: //p')
# --target keeps the sanitizer out of build scripts and macros, which are not to be instrumented.
RUSTFLAGS="-Zsanitizer=address" ASAN_OPTIONS=detect_leaks=1 \
  cargo +nightly test --locked -p andiron --lib --target "$host" --target-dir target/asan -- "$@"
