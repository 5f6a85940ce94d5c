#!/usr/bin/env bash
# Train with several processes: CONFIG PROCESSES [options of tools/train.py]
# _start.sh says how on several machines. With RESTARTS it resumes.
set -euo pipefail

if (( $# < 2 )); then
    echo "usage: $0 CONFIG PROCESSES [options of tools/train.py]" >&2
    exit 2
fi
# shellcheck source=tools/_start.sh
source "$(dirname "${BASH_SOURCE[0]}")/_start.sh"
start_with_torchrun "$2" train.py "$1" ${RESTARTS:+--resume} "${@:3}"
