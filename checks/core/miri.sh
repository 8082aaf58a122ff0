#!/usr/bin/env bash
# The core under Miri, which finds undefined behaviour, data races and leaks. Some minutes.
#   checks/core/miri.sh [<test filter> ...]      (all of the core without filters)
#
# The parts that Miri cannot run, and their cover:
#   boundary          calls JNI                          the JVM driven from Rust (tests/jvm, tests/panics), -Xcheck:jni
#   cache::store      files, mmap, madvise, mincore in C checks/core/asan.sh, where every test of it runs
#   cache::bytes      a mapping's pages                  checks/core/asan.sh
#   cache::process    the cache with a store             checks/core/asan.sh
#   shiplog, sinks,   files and sockets                  checks/core/asan.sh
#   report
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
rustup toolchain list | grep -q ^nightly || rustup toolchain install nightly --profile minimal
rustup component add --toolchain nightly miri rust-src
# Isolation would refuse the clock. A target folder of its own keeps the other builds' caches.
MIRIFLAGS="-Zmiri-disable-isolation" cargo +nightly miri test --locked -p andiron --no-default-features --lib --target-dir target/miri \
  -- "$@" --skip cache::store --skip cache::bytes --skip cache::process --skip boundary \
  --skip shiplog --skip sinks --skip report
