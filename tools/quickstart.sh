#!/usr/bin/env bash
# Set up, train on the embedded world, evaluate. Options go to the training.
set -euo pipefail

# shellcheck source=tools/setup_env.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup_env.sh" training
cd "$repo"

config=configs/mcjepa_convnext.py
work_dir=work_dirs/quickstart

mim train mcjepa_mm "$config" --work-dir "$work_dir" "$@"
mim run mcjepa_mm evaluate "$config" "$(< "$work_dir/last_checkpoint")" \
    --out "$work_dir/evaluation"
