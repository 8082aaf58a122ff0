#!/usr/bin/env bash
# Slots, leases and the budget under shuttle's schedules; build/interleavings.json counts them.
#   checks/core/interleavings.sh [<times the quick number of schedules>] [<test> ...]
# Without a number: a campaign of several minutes with new seeds. With 1: a run of seconds with fixed seeds.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
if [ $# -gt 0 ]; then
  export INTERLEAVINGS=$1
  shift
else
  export INTERLEAVINGS=20 INTERLEAVINGS_SEED=${INTERLEAVINGS_SEED:-time}
fi
rm -rf build/interleavings build/interleavings.json
# Optimised, since a schedule has thousands of steps, but with the assertions of the debug profile. In a separate target folder, since the
# feature `shuttle` changes the core.
CARGO_PROFILE_DEV_OPT_LEVEL=2 cargo test --locked -p andiron-interleavings --target-dir target/shuttle -- --nocapture "$@"
