#!/usr/bin/env bash
# GATE_PROGRAMS (500) programs of the model of gates on a real Spark, from MODEL_SEED (default: the time).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export MODEL_SEED=${MODEL_SEED:-$(date +%s)} ANDIRON_GATE_PROGRAMS=$PWD/build/gate-programs.json
programs=${GATE_PROGRAMS:-500}
echo "MODEL_SEED=$MODEL_SEED GATE_PROGRAMS=$programs"
mkdir -p build
cargo run -q --locked -p andiron-model --bin gate-programs -- "$programs" > "$ANDIRON_GATE_PROGRAMS"
"${GRADLE:-gradle}" --no-daemon cleanTest test --tests '*GateProgramsSuite'
