import io
import runpy
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from mmengine.logging import MMLogger

# Where the scripts in tools/ find the modules that they share.
TOOLS = Path(__file__).resolve().parents[2] / 'tools'
sys.path.append(str(TOOLS))
from commands import find_commands  # noqa: E402

SCRIPTS = {name: next(TOOLS.rglob(f'{name}.py')) for name in find_commands()}


@pytest.fixture
def command(run, tmp_path):
    """Run a command by its name in a process of its own, in ``tmp_path``."""
    return lambda name, *words: run(
        'python', SCRIPTS[name], *words, cwd=tmp_path
    )


@pytest.fixture
def command_here(monkeypatch, tmp_path):
    """Run a command in this process, which takes no start.

    For what a test wants beside the one start that shows that the command
    works by itself. Returns a function of the command's name and words, that
    returns what the fixture ``run`` does. What the script does not catch is
    raised.
    """
    # its handler must not keep what stands for the output below
    MMLogger.get_current_instance()

    def run_here(name, *words, cwd=tmp_path) -> subprocess.CompletedProcess:
        script = SCRIPTS[name]
        command = [str(script), *map(str, words)]
        monkeypatch.setattr(sys, 'argv', command)
        monkeypatch.setattr(sys, 'path', [str(script.parent), *sys.path])
        monkeypatch.chdir(cwd)
        out, err, status = io.StringIO(), io.StringIO(), 0
        with redirect_stdout(out), redirect_stderr(err):
            try:
                runpy.run_path(command[0], run_name='__main__')
            except SystemExit as end:
                status = end.code or 0
        if isinstance(status, str):  # as Python itself does
            err.write(status + '\n')
            status = 1
        return subprocess.CompletedProcess(
            command, status, out.getvalue(), err.getvalue()
        )

    return run_here
