"""What launchers say, and processes that are joined without a GPU."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger

from mcjepa_mm.engine.cores import share_cores
from mcjepa_mm.engine.process_group import (
    join_processes,
    launched_variables,
    two_kinds,
    warn_of_two_kinds,
)

TIMEOUT = 10  # seconds; one process may start later than the other
SLURM = dict(
    SLURM_PROCID='3',
    SLURM_NTASKS='8',
    SLURM_LOCALID='1',
    SLURM_NODELIST='cpu[07-08]',
    SLURM_JOB_ID='1234',
)
TORCH = dict(
    RANK='1',
    WORLD_SIZE='2',
    LOCAL_RANK='0',
    MASTER_ADDR='here',
    MASTER_PORT='7',
)
MEETING = dict(MASTER_ADDR='there', MASTER_PORT='9')


def ranks(found):
    return [found[name] for name in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK')]


def place(found):
    return [found[name] for name in MEETING]


@pytest.fixture
def scontrol(tmp_path, monkeypatch):
    """Put a `scontrol` that knows slurm's two nodes on the PATH."""
    script = tmp_path / 'scontrol'
    script.write_text(
        '#!/bin/sh\n'
        '[ "$*" = "show hostnames cpu[07-08]" ] || exit 1\n'
        'echo cpu07\necho cpu08\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv('PATH', str(tmp_path), prepend=os.pathsep)


def test_torchrun_says_it_all():
    assert launched_variables('pytorch', dict(TORCH, HOME='/')) == TORCH


def test_slurm(scontrol):
    found = launched_variables('slurm', SLURM)
    assert ranks(found) == ['3', '8', '1']
    assert found['MASTER_ADDR'] == 'cpu07'
    port = int(found['MASTER_PORT'])
    assert 20000 <= port < 30000
    for other in (dict(SLURM_JOB_ID='1235'), dict(SLURM_STEP_ID='1')):
        other = launched_variables('slurm', SLURM | other)
        assert int(other['MASTER_PORT']) != port


def test_slurms_step_may_have_fewer_nodes_and_needs_no_scontrol():
    found = launched_variables('slurm', SLURM | dict(SLURM_NODELIST='one'))
    assert found['MASTER_ADDR'] == 'one'
    step = dict(SLURM_STEP_NODELIST='cpu08')
    assert launched_variables('slurm', SLURM | step)['MASTER_ADDR'] == 'cpu08'


def test_the_users_meeting_place_holds():
    found = launched_variables('slurm', SLURM | MEETING)
    assert place(found) == ['there', '9']


@pytest.mark.parametrize(
    'launcher, said, message',
    [
        ('pytorch', {}, r'RANK is not set.*torchrun \(tools/dist_train'),
        ('slurm', {}, r'SLURM_PROCID is not set.*srun \(tools/slurm_train'),
        ('slurm', SLURM, r'scontrol show hostnames cpu.*Set MASTER_ADDR'),
    ],
)
def test_what_is_missing_is_named(launcher, said, message):
    with pytest.raises(RuntimeError, match=message):
        launched_variables(launcher, said)


def test_an_unknown_launcher_is_refused():
    with pytest.raises(ValueError, match="'pytorch', 'slurm'.*'ray'"):
        launched_variables('ray', {})


@pytest.mark.parametrize('timeout', [0, '1h'])
def test_a_timeout_is_a_number_of_seconds(timeout):
    cfg = Config(
        dict(launcher='pytorch', env_cfg=dict(dist_cfg=dict(timeout=timeout)))
    )
    with pytest.raises(ValueError, match='number of seconds above 0, got'):
        join_processes(cfg)


def test_slurm_needs_gpus(scontrol, monkeypatch):
    for name, value in SLURM.items():
        monkeypatch.setenv(name, value)
    for name in TORCH:
        monkeypatch.setenv(name, '')  # put back afterwards
    with pytest.raises(ValueError, match='launcher slurm needs GPUs'):
        join_processes(Config(dict(launcher='slurm')))


def test_sync_bn_needs_gpus(monkeypatch):
    for name, value in TORCH.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match="sync_bn='torch' needs GPUs"):
        join_processes(Config(dict(launcher='pytorch', sync_bn='torch')))


def test_without_a_launcher_nothing_happens():
    cfg = Config(dict(launcher='none'))
    join_processes(cfg)
    assert dict(cfg) == dict(launcher='none')
    assert not torch.distributed.is_initialized()


def test_gpus_of_two_kinds():
    assert two_kinds([]) is two_kinds(['T4', 'T4']) is None
    said = two_kinds(['T4', 'A100', 'T4'])
    assert '0,2 T4; 1 A100' in said and 'CUDA_VISIBLE_DEVICES' in said


def share(rank, folder):
    """Be one of two processes; the second leaves the first one waiting."""
    os.environ.update(
        RANK=str(rank),
        LOCAL_RANK=str(rank),
        WORLD_SIZE='2',
        MASTER_ADDR='127.0.0.1',
        MASTER_PORT=(folder / 'port').read_text(),
        MCJEPA_MM_SHARE_CORES='1',
    )
    cfg = Config(
        dict(
            launcher='pytorch',
            env_cfg=dict(dist_cfg=dict(backend='nccl', timeout=TIMEOUT)),
            find_unused_parameters=True,
        )
    )
    join_processes(cfg)
    assert torch.distributed.get_backend() == 'gloo'
    assert cfg.model_wrapper_cfg == dict(
        type='MMDistributedDataParallel',
        device_ids=None,
        broadcast_buffers=False,
        find_unused_parameters=True,
    )
    share_cores(cfg)
    cores = len(os.sched_getaffinity(0))
    assert torch.get_num_threads() == max(1, cores // 2)

    total = torch.ones(1)
    torch.distributed.all_reduce(total)
    assert total == 2
    if rank == 0:
        MMLogger.get_instance('job', log_file=str(folder / 'log'))
    warn_of_two_kinds(['T4', 'A100'][rank])
    done = folder / 'done'
    if rank == 0:
        with (
            done.open('w'),
            pytest.raises(RuntimeError, match='(?i)timed ?out'),
        ):
            torch.distributed.all_reduce(total)
    else:
        done.open().read()  # waits for the first one to close it


@pytest.mark.slow
def test_a_process_does_not_wait_for_ever(free_port, repo, tmp_path, wait_for):
    os.mkfifo(tmp_path / 'done')
    (tmp_path / 'port').write_text(free_port)
    env = dict(os.environ, PYTHONPATH=str(repo), OMP_NUM_THREADS='1')
    shares = [
        subprocess.Popen([sys.executable, __file__, rank, tmp_path], env=env)
        for rank in '01'
    ]
    assert wait_for(shares) == [0, 0]
    assert '0 T4; 1 A100' in (tmp_path / 'log').read_text()


if __name__ == '__main__':
    share(int(sys.argv[1]), Path(sys.argv[2]))
    # Threads of a gloo group that timed out may abort an orderly end.
    os._exit(0)
