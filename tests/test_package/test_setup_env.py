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
    assert setup('tests') == [
        '-r requirements/tests.txt -r requirements/docs.txt'
    ]
    assert setup('tests') == []
    assert setup('training') == []


def test_what_changed_is_installed_anew_and_nothing_else(setup):
    assert setup(PIP_EXIT='1') == PACKAGES[:1]
    assert setup.done.returncode != 0
    assert setup() == PACKAGES + this(setup)
    (setup.folder / 'mcjepa_mm' / 'new.py').touch()
    assert setup() == this(setup)
    with open(setup.folder / 'requirements' / 'constraints.txt', 'a') as file:
        file.write('one-more==1\n')
    assert setup() == PACKAGES + this(setup)


def test_a_compiled_mmcv_is_left_alone(setup):
    [site] = setup.environment.glob('lib/python*/site-packages')
    info = site / 'mmcv-2.0.1.dist-info'
    info.mkdir()
    (info / 'METADATA').write_text('Name: mmcv\nVersion: 2.0.1\n')
    assert setup() == []
    assert setup.done.returncode == 1
    assert 'mmcv' in setup.done.stderr


@pytest.mark.parametrize(
    'words, variables, message',
    [
        (['everything'], {}, 'everything'),
        ([], {'PYTHON': '/no/python'}, 'PYTHON=/no/python'),
    ],
)
def test_what_is_wrong_is_said(setup, words, variables, message):
    assert setup(*words, **variables) == []
    assert setup.done.returncode == 1
    assert message in setup.done.stderr.splitlines()[-1]
