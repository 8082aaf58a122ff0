#!/usr/bin/env bash
# Formatting, lints and the rules of this repository. scalac and javac treat warnings as errors.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
gradle=${GRADLE:-gradle}

cargo fmt --all --check
for features in "" "test-hooks" "shuttle"; do
  cargo clippy --locked --quiet -p andiron --all-targets --features "$features" -- -D warnings
done
cargo clippy --locked --quiet -p andiron --all-targets --no-default-features -- -D warnings
# Separately, because a joint build would unify the features of the core that the packages request.
cargo clippy --locked --quiet -p andiron-interleavings --all-targets -- -D warnings
cargo clippy --locked --quiet -p andiron-model --all-targets -- -D warnings
cargo clippy --locked --quiet -p andiron-tests --all-targets -- -D warnings
cargo test --locked --quiet -p andiron-tests --test tidy
ci/house.py --check
programs=(classes testClasses demoClasses benchClasses faultsClasses clusterClasses)
"$gradle" --no-daemon --quiet "${programs[@]}" servicesClasses
# Without the services, whose connectors for Scala 2.12 are not in every mirror.
"$gradle" --no-daemon --quiet -PscalaVersion=2.12 "${programs[@]}"
python3 -m compileall -q ci harness bench demo checks python
for script in ci/*.sh checks/*/*.sh harness/spark-home/bin/* .ci/run; do
  bash -n "$script"
done
