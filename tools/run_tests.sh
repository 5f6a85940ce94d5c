#!/usr/bin/env bash
# Set up, check the code and the documents, run the tests, a file at a time on
# each core. Options go to pytest; -n 0 runs them in one process.
set -euo pipefail

# shellcheck source=tools/setup_env.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup_env.sh" tests
cd "$repo"

export OMP_NUM_THREADS=1 # the processes have the cores
ruff check .
ruff format --check .
codespell
mypy
lint-imports
sphinx-build -q -W docs docs/_build
# If a process crashes and may be replaced, pytest-xdist waits for ever.
"$PYTHON" -m pytest -n auto --maxprocesses 8 --dist loadfile \
    --max-worker-restart 0 "$@"
