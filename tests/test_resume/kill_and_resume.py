"""Kill a training again and again, resume it, and compare it with a whole one.

The job is tests/toys/short_pretraining.py, prolonged. Half of the kills come
while a checkpoint is being written, the others at any moment. Prints a table
and ends with status 1 if a run could not be resumed, or if a loss, a weight,
the optimiser or a schedule differs by a bit.

    python tests/test_resume/kill_and_resume.py --kills 20

With --nodes the processes are of as many torchruns, which meet by c10d. One of
the nodes, torchrun and all, is killed and begun again; the others stay.
"""

import argparse
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
PATH = [str(REPO), str(REPO / 'tests' / 'toys')]
sys.path[:0] = PATH
EPOCHS, STEPS = 20, 5  # of the prolonged job


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
    )
    parser.add_argument('--kills', type=int, default=20)
    number = parser.add_mutually_exclusive_group()
    number.add_argument('--processes', type=int, default=1)
    number.add_argument('--nodes', type=int, help='of one process each')
    parser.add_argument('--strategy', default='combined')
    parser.add_argument('--seed', type=int, default=0, help='of the moments')
    args = parser.parse_args()
    args.processes = args.nodes or args.processes
    return args


class Nodes:
    """A job on several machines, in the place of a process.

    A node that ends with an error is begun again, as by a scheduler.
    """

    def __init__(
        self, folder: Path, args: argparse.Namespace, *more: str
    ) -> None:
        with socket.create_server(('127.0.0.1', 0)) as probe:
            port = probe.getsockname()[1]
        place = dict(
            NNODES=str(args.nodes),
            RESTARTS=str(10 * args.kills),
            MASTER_ADDR='127.0.0.1',
            PORT=str(port),
        )
        alone = argparse.Namespace(**{**vars(args), 'processes': 1})
        self.begin = lambda: start(folder, alone, *more, place=place)
        self.nodes = [self.begin() for _ in range(args.nodes)]
        self.again = 0

    def poll(self) -> int | None:
        """0 when all have ended well."""
        for i, node in enumerate(self.nodes):
            if node.poll():
                self.again += 1
                if self.again > 100:
                    return node.returncode
                self.nodes[i] = self.begin()
        done = all(node.poll() == 0 for node in self.nodes)
        return 0 if done else None

    returncode = property(poll)

    def wait(self, seconds: float = float('inf')) -> int:
        """Wait as for a process."""
        end = time.monotonic() + seconds
        while (status := self.poll()) is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired('nodes', seconds)
            time.sleep(min(seconds, 0.01))
        return status


def start(
    folder: Path,
    args: argparse.Namespace,
    *more: str,
    place: dict[str, str] | None = None,
) -> subprocess.Popen:
    """Start the job in a folder, or go on with it, with more options.

    With a place this is one node of it, whose length is that of all.
    """
    config = REPO / 'tests' / 'toys' / 'short_pretraining.py'
    tools = REPO / 'tools'
    number = args.nodes if place else args.processes
    if number == 1:
        command = [sys.executable, tools / 'train.py', config]
    else:
        command = [
            *('bash', tools / 'dist_train.sh'),
            *(config, str(args.processes)),
        ]
    options = [
        f'custom_hooks.2.path={folder / "losses.jsonl"}',
        f'custom_hooks.0.strategy={args.strategy}',
        f'train_cfg.max_epochs={EPOCHS}',
        f'param_scheduler.total_steps={EPOCHS * STEPS}',
        f'train_dataloader.content.dataset.length={4 * STEPS * number}',
        # a strategy may leave a head out of a step
        'find_unused_parameters=True',
        *more,
    ]
    with open(folder / 'log', 'a') as log:
        return subprocess.Popen(
            [
                *command,
                *('--work-dir', folder / 'work', '--resume'),
                *('--cfg-options', *options),
            ],
            stdout=log,
            stderr=log,
            start_new_session=True,
            env=dict(
                os.environ,
                PYTHON=sys.executable,
                PYTHONPATH=os.pathsep.join(PATH),
                OMP_NUM_THREADS='1',
                **(place or {}),
            ),
        )


def kill(process: int) -> None:
    """Kill a process and all that it has started, in other sessions too."""
    children = Path(f'/proc/{process}/task/{process}/children').read_text()
    os.kill(process, signal.SIGKILL)
    for child in children.split():
        with suppress(FileNotFoundError, ProcessLookupError):
            kill(int(child))


def wait_for_kill(
    job: subprocess.Popen | Nodes,
    folder: Path,
    moment: str,
    rng: random.Random,
) -> None:
    """Wait until the moment has come; the job may end before."""
    record = folder / 'losses.jsonl'
    size = record.stat().st_size if record.exists() else 0
    if moment == 'starting':
        _wait(job, rng.uniform(0, 8))
        return
    # until it has made a step
    while not record.exists() or record.stat().st_size == size:
        if _wait(job, 0.01):
            return
    if moment == 'saving':
        while not half_written(folder):
            if _wait(job, 0.001):
                return
        _wait(job, rng.uniform(0, 0.01))
    else:
        _wait(job, rng.uniform(0, 1))


def _wait(job: subprocess.Popen | Nodes, seconds: float) -> bool:
    """Whether the job has ended within some seconds."""
    try:
        job.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def finish(job: subprocess.Popen | Nodes, folder: Path) -> None:
    """Wait for the end of a job that has to end well."""
    if job.wait():
        log = (folder / 'log').read_text()
        sys.exit(f'the job has failed with status {job.returncode}:\n{log}')


def main() -> None:
    """Run both jobs and compare them."""
    args = parse()
    rng = random.Random(args.seed)
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        whole, killed = Path(folder, 'whole'), Path(folder, 'killed')
        whole.mkdir()
        killed.mkdir()
        finish(start(whole, args), whole)
        moments = [
            'saving'
            if i % 2
            else rng.choice(['starting', 'running', 'running'])
            for i in range(args.kills)
        ]
        torn = 0
        job = Nodes(killed, args) if args.nodes else start(killed, args)
        for moment in moments:
            wait_for_kill(job, killed, moment, rng)
            if job.poll() is not None:
                finish(job, killed)
                sys.exit('the job was over before the last kill')
            node = rng.choice(job.nodes) if args.nodes else job
            kill(node.pid)
            node.wait()
            torn += half_written(killed)
            if not args.nodes:
                job = start(killed, args)
        finish(job, killed)
        report(whole, killed, moments, torn)
    print(f'{time.perf_counter() - begun:.0f} s')


def half_written(folder: Path) -> bool:
    """Whether a checkpoint is being written, or was when the job died."""
    return any((folder / 'work').glob('*.part'))


def report(whole: Path, killed: Path, moments: list[str], torn: int) -> None:
    """Compare, and print what was found."""
    from loss_record import assert_equal_state, newest, read_losses

    expected = read_losses(whole / 'losses.jsonl')
    record = read_losses(killed / 'losses.jsonl')
    if record.keys() != expected.keys():
        sys.exit('the jobs have not made the same steps')
    odd = [
        step
        for step, losses in record.items()
        if losses != expected[step] * len(losses)
    ]
    again = sum(len(losses) - 1 for losses in record.values())
    kinds = (f'{moments.count(x)} {x}' for x in sorted(set(moments)))
    print(f'kills: {", ".join(kinds)}; that left a half-written file: {torn}')
    print(
        f'resumed: {len(moments)} of {len(moments)}; steps: {len(expected)}, '
        f'made again: {again}, with other losses: {len(odd)}'
    )
    assert_equal_state(newest(whole / 'work'), newest(killed / 'work'))
    print('weights, optimiser, schedules, data positions: equal')
    if odd:
        sys.exit(f'first other losses (rank, iteration): {min(odd)}')


if __name__ == '__main__':
    main()
