"""What tests of whole processes share."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.registry import DefaultScope

REPO = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True, scope='module')
def own_scope():
    """End the default scope that a module's runners leave behind.

    It decides in whose registry the next module's ``type`` is looked up, and
    mmengine has no call that ends it.
    """
    yield
    DefaultScope._instance_dict.clear()


@pytest.fixture(autouse=True, scope='session')
def own_cache(tmp_path_factory):
    """Keep what is found in videos, and compiled, out of the user's cache.

    torch keeps compiled code for AVX-512 and for AVX2 under one name, and
    where it runs the other one it crashes.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name in ('MCJEPA_CACHE', 'TORCHINDUCTOR_CACHE_DIR'):
            patch.setenv(name, str(tmp_path_factory.mktemp('cache')))
        yield


@pytest.fixture
def repo() -> Path:
    return REPO


@pytest.fixture(scope='session')
def run():
    """Run a command with this checkout's package importable.

    Returns a function of the command's words (``python`` is this Python) and
    optionally ``cwd`` and ``path`` (what is importable, in place of the
    checkout), that returns the finished process.
    """

    def run(*words, cwd=REPO, path=REPO) -> subprocess.CompletedProcess:
        command = [
            sys.executable if word == 'python' else str(word) for word in words
        ]
        env = dict(
            os.environ,
            PYTHONPATH=str(path),
            PYTHON=sys.executable,
            OMP_NUM_THREADS='1',
        )
        return subprocess.run(
            command,
            cwd=cwd,
            env=env,
            capture_output=True,
            text=True,
            timeout=300,  # a process group that waits for ever
        )

    return run


@pytest.fixture
def free_port() -> str:
    """A port at which nothing listens."""
    with socket.create_server(('127.0.0.1', 0)) as probe:
        return str(probe.getsockname()[1])


@pytest.fixture(scope='session')
def wait_for():
    """Wait for processes, 300 s each, and end those that are left."""

    def wait(processes):
        try:
            return [process.wait(300) for process in processes]
        finally:
            for process in processes:
                process.kill()
                process.wait()

    return wait


@pytest.fixture(scope='session')
def two_processes(wait_for):
    """Function of a script and a folder: its ``share``, in two processes.

    They have to end well; it returns what each one returned. Not spawned: a
    spawned process cannot import a test by its name.
    """

    def run(script, folder):
        env = dict(os.environ, PYTHONPATH=str(REPO), OMP_NUM_THREADS='1')
        toy = REPO / 'tests' / 'toys' / 'one_of_two.py'
        shares = [
            subprocess.Popen(
                [sys.executable, toy, script, str(rank), folder], env=env
            )
            for rank in range(2)
        ]
        assert wait_for(shares) == [0, 0]
        return [
            torch.load(folder / f'share_{rank}.pt', weights_only=False)
            for rank in range(2)
        ]

    return run


@pytest.fixture
def project(run, repo, tmp_path):
    """Function that runs tests/toys/mmengine_project.py in tmp_path."""
    script = repo / 'tests' / 'toys' / 'mmengine_project.py'
    return lambda *words: run('python', script, tmp_path, *words, cwd=tmp_path)
