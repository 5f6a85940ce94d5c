"""A training under MIM, which does not wait for what it has started."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from threading import Timer

import pytest
import torch

pytestmark = pytest.mark.slow
TOYS = Path(__file__).parent
CONFIG = f"""
_base_ = r'{TOYS / 'toy_config.py'}'
custom_imports = dict(imports=['toy_parts', 'toy_endurance'])
train_cfg = dict(_delete_=True, type='ResumableTrainLoop', max_epochs=10**6)
default_hooks = dict(
    checkpoint=dict(type='SafeCheckpointHook', interval=10**6),
    stop=dict(type='GracefulStopHook'),
)
"""
# Ctrl-C is answered by MIM with SIGKILL; SIGTERM ends MIM alone.
OUTLIVE = "custom_hooks = [dict(type='OutliveParentHook')]"


@pytest.mark.parametrize(
    'send, number, hooks',
    [(os.killpg, signal.SIGINT, OUTLIVE), (os.kill, signal.SIGTERM, '')],
    ids=['Ctrl-C', 'SIGTERM'],
)
def test_it_saves_after_mim_has_ended(site, tmp_path, send, number, hooks):
    config = tmp_path / 'endless.py'
    config.write_text(CONFIG + hooks)
    env = dict(os.environ, PYTHONPATH=f'{site}:{TOYS}', OMP_NUM_THREADS='1')
    # the end of its output: all processes that hold it have ended
    mim = subprocess.Popen(
        [sys.executable, '-m', 'mim', 'train', 'mcjepa_mm', config]
        + ['--gpus', '0', '--work-dir', 'work'],
        cwd=tmp_path,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        # a suite that runs in the background ignores Ctrl-C
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    limit = Timer(300, os.killpg, (mim.pid, signal.SIGKILL))
    limit.daemon = True
    limit.start()
    said = []
    for line in mim.stdout:
        said.append(line)
        if 'Epoch(train)' in line:
            send(mim.pid, number)
            break
    else:
        pytest.fail(''.join(said))
    rest = mim.stdout.read()
    limit.cancel()
    assert mim.wait() != 0
    assert 'Asked to stop: saving after this step.' in rest, rest
    assert ('MIM has ended' in rest) == bool(hooks)
    assert '--resume' in rest.splitlines()[-1], rest
    path = tmp_path / 'work' / 'interrupted.pth'
    assert torch.load(path, weights_only=True)['meta']['iter'] > 0
