#!/usr/bin/env bash
# Run the fast tests under other versions; print the table of
# docs/installation.md.
#
#     bash tools/test_versions.sh DIR ROW...
#
# A ROW is a Python, and what pip installs beside this package where it is not
# the newest that the ranges of requirements/ allow:
#
#     bash tools/test_versions.sh /tmp/versions 3.10 3.12 \
#         '3.11 torch==2.6.0 torchvision==0.21.0'
#
# Each row gets an environment of its own under DIR, several GB where pip takes
# a CUDA build of torch, and a log beside it; an environment that is there is
# used again. OPTIONS go to pytest: OPTIONS='-m slow'.
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
[[ $# -ge 2 ]] || {
    echo "usage: bash tools/test_versions.sh DIR ROW..." >&2
    exit 1
}
folder=$1
shift
mkdir -p "$folder"
options=(-m "not slow")
[[ -z ${OPTIONS:-} ]] || read -ra options <<< "$OPTIONS"

install() { # PREFIX PYTHON [PACKAGE==VERSION]...
    local prefix=$1 python=$2
    shift 2
    "python$python" -m venv "$prefix"
    "$prefix/bin/python" -m pip install --quiet \
        -r "$repo/requirements/runtime.txt" \
        -r "$repo/requirements/mminstall.txt" \
        -r "$repo/requirements/optional.txt" \
        -r "$repo/requirements/tests.txt" wheel "$@"
    "$prefix/bin/python" -m pip install --quiet --no-deps openmim
    touch "$prefix/complete"
}

versions() { # PREFIX: Python, torch, numpy, mmengine as cells of a table
    "$1/bin/python" - << 'EOF'
import platform
from importlib.metadata import version

found = [version(name) for name in ('torch', 'numpy', 'mmengine')]
print(' | '.join([platform.python_version(), *found]))
EOF
}

echo '| Python | torch | numpy | mmengine | tests |'
echo '| --- | --- | --- | --- | --- |'
for row in "$@"; do
    read -ra words <<< "$row"
    prefix=$folder/$(tr -c 'a-z0-9.\n' '-' <<< "$row")
    log=$prefix.log
    if [[ ! -f $prefix/complete ]]; then
        rm -rf "$prefix"
        install "$prefix" "${words[@]}" > "$log" 2>&1 || {
            echo "| ${words[*]} | - | - | - | cannot be installed, $log |"
            continue
        }
    fi
    # Not installed, as the checkout's own files are tested; MIM finds them by
    # the metadata.
    cd "$repo"
    "$prefix/bin/python" setup.py --quiet egg_info
    "$prefix/bin/python" -m pytest -q -p no:cacheprovider "${options[@]}" \
        > "$log" 2>&1 || true
    result=$(tail -n 1 "$log")
    echo "| $(versions "$prefix") | ${result//=/} |"
done
