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


@pytest.fixture
def run_here(monkeypatch):
    """Run a script of tools/ in this process, which takes no start.

    For what a test wants beside the one start that shows that the script
    works by itself. Returns a function of the script's path and words and of
    ``cwd``, that returns what the fixture ``run`` does. What the script does
    not catch is raised.
    """
    # its handler must not keep what stands for the output below
    MMLogger.get_current_instance()

    def run_here(script, *words, cwd) -> subprocess.CompletedProcess:
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
