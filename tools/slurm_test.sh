#!/usr/bin/env bash
# Test on a Slurm cluster:
# PARTITION JOB_NAME CONFIG CHECKPOINT [options of tools/test.py]
# _start.sh says which variables set the number of processes.
set -euo pipefail

if (( $# < 4 )); then
    echo "usage: $0 PARTITION JOB_NAME CONFIG CHECKPOINT [options]" >&2
    exit 2
fi
# shellcheck source=tools/_start.sh
source "$(dirname "${BASH_SOURCE[0]}")/_start.sh"
start_with_srun "$1" "$2" test.py "$3" "$4" "${@:5}"
