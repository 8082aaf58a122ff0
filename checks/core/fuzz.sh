#!/usr/bin/env bash
# New inputs for every decoder and for the cache's model: MODEL_TIMES (20) times as many as in `make test`, from MODEL_SEED (default: the time).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export MODEL_SEED=${MODEL_SEED:-$(date +%s%N)} MODEL_TIMES=${MODEL_TIMES:-20}
echo "MODEL_SEED=$MODEL_SEED MODEL_TIMES=$MODEL_TIMES"
cargo test --locked -p andiron-model
