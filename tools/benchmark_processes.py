"""Images per second of several processes beside one, on the CPU.

Both train the default job with the same samples in a step and the same number
of threads, all processes together. The runs alternate; each gives the median
time of its steps, read from its log.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from _command_line import prefer_checkout, run

REPO = Path(__file__).resolve().parents[1]
CONFIG = REPO / 'configs' / 'mcjepa_convnext.py'
WARM_UP = 5  # steps that are not counted


def batch_sizes() -> dict[str, int]:
    """Samples in a step, by the option that sets them."""
    from mmengine.config import Config

    cfg = Config.fromfile(CONFIG)
    return {
        f'train_dataloader.{task}.batch_size': data.batch_size
        for task, data in cfg.train_dataloader.items()
    }


def seconds_per_step(
    args: argparse.Namespace, processes: int, sizes: dict[str, int]
) -> float:
    """Train for some steps; the median time of one."""
    per_step = sizes['train_dataloader.content.batch_size']
    odd = {key: n for key, n in sizes.items() if n % processes}
    if odd:
        sys.exit(f'{processes} processes cannot share out {odd}')
    options = [f'{key}={n // processes}' for key, n in sizes.items()]
    options += [
        f'train_dataloader.content.dataset.length={args.steps * per_step}',
        'train_cfg.max_epochs=1',
        'default_hooks.logger.interval=1',
        'log_processor.window_size=1',
        # what follows the last step is short
        'val_dataloader.content.dataset.length=50',
        'val_dataloader.motion.dataset.length=8',
        'val_dataloader.propagation.dataset.length=2',
    ]
    start = [sys.executable, REPO / 'tools/train.py', CONFIG]
    if processes > 1:
        start = ['bash', REPO / 'tools/dist_train.sh', CONFIG]
        start.append(str(processes))
    threads = (args.threads or args.processes) // processes
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [*start, '--work-dir', folder, '--cfg-options', *options],
            env=dict(
                os.environ,
                OMP_NUM_THREADS=str(max(1, threads)),
                PYTHON=sys.executable,
            ),
            capture_output=True,
            text=True,
        )
        if done.returncode:
            sys.exit(done.stdout + done.stderr)
        (log,) = Path(folder).glob('*/vis_data/scalars.json')
        lines = map(json.loads, log.read_text().splitlines())
        times = [line['time'] for line in lines if 'time' in line]
    return statistics.median(times[WARM_UP:])


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--processes', type=int, default=2)
    parser.add_argument('--rounds', type=int, default=3, help='runs of each')
    parser.add_argument('--steps', type=int, default=25, help='of a run')
    parser.add_argument(
        '--threads',
        type=int,
        help='of all processes together; default: --processes',
    )
    args = parser.parse_args()
    prefer_checkout()
    sizes = batch_sizes()
    numbers = (1, args.processes)
    times = {n: [] for n in numbers}
    for _ in range(args.rounds):
        for n in numbers:
            times[n].append(seconds_per_step(args, n, sizes))
    images = sizes['train_dataloader.content.batch_size']
    ratios = [one / more for one, more in zip(times[1], times[args.processes])]
    for n in numbers:
        middle = statistics.median(times[n])
        print(
            f'{n} processes: {images / middle:.1f} samples of the main task '
            f'a second ({middle:.3f} s a step; '
            + ', '.join(f'{x:.3f}' for x in times[n])
            + ')'
        )
    print(
        f'ratio: {statistics.median(ratios):.2f} (of each round: '
        + ', '.join(f'{x:.2f}' for x in ratios)
        + ')'
    )


if __name__ == '__main__':
    run(main)
