#!/usr/bin/env bash
# Make this repository's environment ready, and leave it alone if it is.
#
#     bash tools/setup_env.sh [training]    what training needs
#     bash tools/setup_env.sh tests         what the tests need, too
#
# Scripts source it; it then sets `repo`, PYTHON (the environment's
# interpreter) and PATH. The environment is the interpreter in PYTHON where
# that is in a virtual or conda environment, else the active environment, else
# .venv in the repository, which is made if it is not there, with PYTHON where
# that is set. Nothing is installed into a system's Python or conda's base.
#
# Versions come from requirements/constraints.txt. Where the packages come
# from is pip's matter: torch 2.13.0 of a default index may bring several GB
# of CUDA libraries; point PIP_EXTRA_INDEX_URL or PIP_FIND_LINKS at a CPU
# build to have that instead.
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

fail() {
    echo "setup: $*" >&2
    exit 1
}

supported() { # the Pythons for which the pinned versions exist and work
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
        2> /dev/null
}

version_of() {
    "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])'
}

is_environment() { # a venv or conda environment, but not conda's base
    "$1" - << 'EOF'
import os
import sys

conda = os.path.isdir(os.path.join(sys.prefix, 'conda-meta'))
base = os.path.isdir(os.path.join(sys.prefix, 'condabin'))
venv = sys.prefix != getattr(sys, 'base_prefix', sys.prefix)
sys.exit(not (venv or conda and not base))
EOF
}

make_venv() { # [INTERPRETER]
    local base=${1:-} candidate
    for candidate in python3.11 python3.12 python3.13 python3 python; do
        # A version manager's shim may be on the PATH and not run.
        if [[ -z $base ]] && supported "$candidate"; then
            base=$candidate
        fi
    done
    [[ -n $base ]] || fail 'no Python 3.11, 3.12 or 3.13 on the PATH.' \
        'Install one, or name one: PYTHON=/path/to/python3.11'
    supported "$base" || fail "$base is Python $(version_of "$base");" \
        'the pinned versions need 3.11, 3.12 or 3.13.'
    "$base" -c 'import venv, ensurepip' || fail "$base has no venv module." \
        'Debian and Ubuntu have it in the package python3-venv.'
    echo "setup: making $repo/.venv with $base"
    "$base" -m venv "$repo/.venv"
}

choose_python() { # sets PYTHON
    local wanted=${PYTHON:-} active
    if [[ -n $wanted ]]; then
        command -v "$wanted" > /dev/null || fail "PYTHON=$wanted: not found."
    fi
    for active in "${VIRTUAL_ENV:-}" "${CONDA_PREFIX:-}"; do
        if [[ -z $wanted && -x $active/bin/python ]] &&
            is_environment "$active/bin/python"; then
            wanted=$active/bin/python
        fi
    done
    if [[ -n $wanted ]] && is_environment "$wanted"; then
        PYTHON=$wanted
    else
        [[ -x $repo/.venv/bin/python ]] || make_venv "$wanted"
        PYTHON=$repo/.venv/bin/python
        if [[ -n $wanted && $(version_of "$wanted") != \
            $(version_of "$PYTHON") ]]; then
            fail "$repo/.venv is Python $(version_of "$PYTHON"), but" \
                "$wanted is $(version_of "$wanted"). Remove the one or" \
                'do not ask for the other.'
        fi
    fi
    supported "$PYTHON" || fail "$PYTHON is Python $(version_of "$PYTHON");" \
        'the pinned versions need 3.11, 3.12 or 3.13.'
    PYTHON=$(command -v "$PYTHON")
    export PYTHON
}

pip_install() {
    "$PYTHON" -m pip --disable-pip-version-check install \
        --constraint "$repo/requirements/constraints.txt" "$@"
}

fingerprint() { # of files and folders in the repository: names and contents
    cd "$repo" && "$PYTHON" - "$@" << 'EOF'
import hashlib
import sys
from pathlib import Path

digest = hashlib.sha256()
for top in map(Path, sys.argv[1:]):
    for path in [top, *sorted(top.rglob('*'))]:
        if path.is_file() and '__pycache__' not in path.parts:
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f'{path}\n{content}\n'.encode())
print(digest.hexdigest())
EOF
}

once() { # NAME COMMAND SOURCE...: run COMMAND unless it ran for these SOURCEs
    local stamp="$prefix/.mcjepa_mm/$1" command=$2 now
    shift 2
    now=$(fingerprint "$@")
    if [[ -f $stamp && $(< "$stamp") == "$now" ]]; then
        return
    fi
    rm -f "$stamp"
    "$command"
    mkdir -p "${stamp%/*}"
    echo "$now" > "$stamp"
}

install_packages() {
    if "$PYTHON" -c 'from importlib.metadata import version; version("mmcv")' \
        2> /dev/null; then
        fail "$prefix holds a compiled mmcv, and the pinned torch would not" \
            'fit it. Use another environment, or install by hand there:' \
            "pip install '.[optional]'"
    fi
    echo "setup: installing the pinned packages into $prefix"
    pip_install -r "$repo/requirements/runtime.txt" \
        -r "$repo/requirements/mminstall.txt" \
        -r "$repo/requirements/optional.txt"
    # See mminstall.txt.
    pip_install --no-deps openmim
}

install_test_packages() {
    pip_install -r "$repo/requirements/tests.txt" \
        -r "$repo/requirements/docs.txt"
}

install_this() {
    echo "setup: installing mcjepa_mm into $prefix"
    # setuptools would carry over what an earlier build left there. Not
    # editable: MIM looks for the package's files beside its metadata.
    rm -rf "$repo/build"
    pip_install --quiet --no-deps --no-build-isolation "$repo"
}

goal=${1:-training}
[[ $goal == training || $goal == tests ]] ||
    fail "expected 'training' or 'tests', got '$goal'."

choose_python
prefix=$("$PYTHON" -c 'import sys; print(sys.prefix)')
export PATH="$prefix/bin:$PATH"
"$PYTHON" -c 'import pip' 2> /dev/null || "$PYTHON" -m ensurepip

once packages install_packages \
    requirements/{runtime,mminstall,optional,constraints}.txt
if [[ $goal == tests ]]; then
    once tests install_test_packages requirements/{tests,docs,constraints}.txt
fi
once mcjepa_mm install_this mcjepa_mm configs tools requirements \
    model-index.yml pyproject.toml setup.py MANIFEST.in README.md
