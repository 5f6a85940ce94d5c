#!/usr/bin/env bash
# Test with several processes:
# CONFIG CHECKPOINT PROCESSES [options of tools/test.py]
# _start.sh says how on several machines.
set -euo pipefail

if (( $# < 3 )); then
    echo "usage: $0 CONFIG CHECKPOINT PROCESSES [options of tools/test.py]" >&2
    exit 2
fi
# shellcheck source=tools/_start.sh
source "$(dirname "${BASH_SOURCE[0]}")/_start.sh"
start_with_torchrun "$3" test.py "$1" "$2" "${@:4}"
