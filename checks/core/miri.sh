#!/usr/bin/env bash
# The core under Miri, which finds undefined behaviour, data races and leaks. Takes several minutes.
#   checks/core/miri.sh [<test filter> ...]      (all of the core without filters)
#
# The parts that Miri cannot run, the reason, and the checks that cover them:
#   boundary          calls JNI                          the JVM started from Rust (tests/jvm, tests/panics), -Xcheck:jni
#   cache::store      files, mmap, madvise, mincore in C checks/core/asan.sh, which runs all of its tests
#   cache::bytes      a mapping's pages                  checks/core/asan.sh
#   cache::process    the cache with a store             checks/core/asan.sh
#   shiplog, sinks,   files and sockets                  checks/core/asan.sh
#   report
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
rustup toolchain list | grep -q ^nightly || rustup toolchain install nightly --profile minimal
rustup component add --toolchain nightly miri rust-src
# Miri's isolation would deny access to the clock. A separate target folder keeps the caches of other builds.
MIRIFLAGS="-Zmiri-disable-isolation" cargo +nightly miri test --locked -p andiron --no-default-features --lib --target-dir target/miri \
  -- "$@" --skip cache::store --skip cache::bytes --skip cache::process --skip boundary \
  --skip shiplog --skip sinks --skip report
