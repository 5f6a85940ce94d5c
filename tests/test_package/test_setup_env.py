import os
import shutil
import subprocess
import sys
import venv

import pytest

pytestmark = pytest.mark.skipif(
    sys.version_info < (3, 11), reason='the pinned versions need Python 3.11'
)

# A Python that notes what pip is asked for, and else is the environment's.
PYTHON = """#!/usr/bin/env bash
if [[ $1 == -m && $2 == pip ]]; then
    echo "$*" >> {log}
    exit "${{PIP_EXIT:-0}}"
fi
[[ $* == '-c import pip' ]] || exec {python} "$@"
"""


@pytest.fixture
def setup(repo, tmp_path):
    """A small repository with an environment of its own, and its set-up."""
    root = tmp_path / 'repo'
    shutil.copytree(repo / 'requirements', root / 'requirements')
    (root / 'tools').mkdir()
    shutil.copy(repo / 'tools' / 'setup_env.sh', root / 'tools')
    (root / 'mcjepa_mm').mkdir()
    (root / 'mcjepa_mm' / '__init__.py').touch()
    venv.create(tmp_path / 'env')
    log = tmp_path / 'log'
    python = tmp_path / 'python'
    real = tmp_path / 'env' / 'bin' / 'python'
    python.write_text(PYTHON.format(log=log, python=real))
    python.chmod(0o755)

    class Setup:
        folder = root
        environment = tmp_path / 'env'

        def __call__(self, *words, **variables):
            env = {**os.environ, 'PYTHON': str(python), **variables}
            log.write_text('')
            self.done = subprocess.run(
                ['bash', root / 'tools' / 'setup_env.sh', *words],
                cwd=tmp_path,
                env=env,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
            )
            return [
                line.replace(f'{root}/', '').split('constraints.txt ')[1]
                for line in log.read_text().splitlines()
            ]

    return Setup()


PACKAGES = [
    '-r requirements/runtime.txt -r requirements/mminstall.txt '
    '-r requirements/optional.txt',
    '--no-deps openmim',
]


def this(setup):
    return [f'--quiet --no-deps --no-build-isolation {setup.folder}']


def test_everything_is_installed_once(setup):
    assert setup() == PACKAGES + this(setup), setup.done.stderr
    assert setup.done.returncode == 0
    assert setup() == []
    assert setup('tests') == ['-r requirements/tests.txt']
    assert setup('tests') == []
    assert setup('training') == []


def test_a_changed_tree_is_installed_anew_and_nothing_else(setup):
    setup()
    (setup.folder / 'mcjepa_mm' / 'new.py').touch()
    assert setup() == this(setup)
    cache = setup.folder / 'mcjepa_mm' / '__pycache__'
    cache.mkdir()
    (cache / 'new.pyc').touch()
    assert setup() == []


def test_changed_pins_are_installed_anew(setup):
    setup()
    with open(setup.folder / 'requirements' / 'constraints.txt', 'a') as file:
        file.write('one-more==1\n')
    assert setup() == PACKAGES + this(setup)


def test_a_failed_installation_is_tried_again(setup):
    assert setup(PIP_EXIT='1') == PACKAGES[:1]
    assert setup.done.returncode != 0
    assert setup() == PACKAGES + this(setup)


def test_a_compiled_mmcv_is_left_alone(setup):
    [site] = setup.environment.glob('lib/python*/site-packages')
    info = site / 'mmcv-2.0.1.dist-info'
    info.mkdir()
    (info / 'METADATA').write_text('Name: mmcv\nVersion: 2.0.1\n')
    assert setup() == []
    assert setup.done.returncode == 1
    assert 'holds a compiled mmcv' in setup.done.stderr


@pytest.mark.slow
def test_the_active_environment_is_used(setup):
    # Its real pip would be asked, so stop before that.
    (setup.folder / 'requirements' / 'runtime.txt').write_text('-bad\n')
    setup(PYTHON='', VIRTUAL_ENV=str(setup.environment))
    assert f'into {setup.environment}' in setup.done.stdout
    assert not (setup.folder / '.venv').exists()


@pytest.mark.parametrize(
    'words, variables, message',
    [
        (['everything'], {}, "expected 'training' or 'tests'"),
        ([], {'PYTHON': '/no/python'}, 'PYTHON=/no/python: not found.'),
    ],
)
def test_what_is_wrong_is_said(setup, words, variables, message):
    assert setup(*words, **variables) == []
    assert setup.done.returncode == 1
    assert setup.done.stderr.splitlines()[-1].startswith(f'setup: {message}')


def test_an_old_python_is_refused(setup, tmp_path):
    old = tmp_path / 'old'
    script = (
        'import sys; sys.version_info = (3, 9, 0); '
        'sys.prefix = sys.base_prefix; exec(sys.argv[2])'
    )
    old.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{script}" "$@"\n')
    old.chmod(0o755)
    assert setup(PYTHON=str(old)) == []
    assert f'{old} is Python 3.9' in setup.done.stderr
    assert not (setup.folder / '.venv').exists()
