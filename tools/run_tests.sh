#!/usr/bin/env bash
# Set up, run the tests. Options go to pytest.
set -euo pipefail

# shellcheck source=tools/setup_env.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup_env.sh" tests
cd "$repo"

"$PYTHON" -m pytest "$@"
