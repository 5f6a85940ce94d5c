"""Plan a training on a billion images: time, cores, network and failures.

Fills the formulae of docs/results/benchmarks.md from what `benchmark
recipe_step content_views frame_pairs --json FILE` measured on this machine,
and from assumptions, each of them an option. With --check it trains two jobs
for a few steps, measures the part job_pieces before, between and after them,
and compares their time with the formulae's.
"""

import argparse
import json
import math
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import _command_line as cli
from _records import markdown

ARCHS = ('tiny', 'small', 'base', 'large')
PASSED, STEPS = 5, 40  # steps of a check that are not counted, and that are
# Name, value, and what it is. No GPU has been measured.
ASSUMED = (
    ('images', 1e9, 'images of a pass'),
    ('clips', 1e7, 'clips, a pair of one at a time'),
    ('processes', 64, 'GPUs'),
    ('batch', 48, 'images of a GPU in a step'),
    ('pairs', 1, 'frame pairs of a GPU in a step'),
    ('gpu-flops', 1e14, 'floating-point operations a second of a GPU'),
    ('network', 25e9, 'bytes a second of a GPU to the others'),
    ('image-bytes', 1.1e5, 'of an image file'),
    ('pair-bytes', 1e6, 'read of a video for a pair'),
    ('node-size', 8, 'GPUs that fail together'),
    # 419 interruptions, 54 days, 16,384 GPUs: Llama 3, arXiv 2407.21783
    ('node-hours', 54 * 24 * 16384 / 8 / 419, 'between failures of a node'),
    ('save', 10, 'seconds that a checkpoint stops the training'),
    ('restart', 300, 'seconds from a failure to the next step'),
)
# Options of the default job, and the piece that its pairs are.
CHECKS = {
    'the step': ((), 'pair'),
    'the loader': (
        ('train_dataloader.motion.dataset.size=(1440,1440)',),
        'pair of 1440 px',
    ),
}


def parse_args() -> argparse.Namespace:
    """Read the command line, before anything heavy is imported."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'json', nargs='*', help='files that the benchmark wrote'
    )
    for name, value, text in ASSUMED:
        parser.add_argument(
            f'--{name}',
            type=float,
            default=value,
            help=f'{text}; assumed: {value:g}',
        )
    parser.add_argument('--archs', nargs='+', choices=ARCHS, default=ARCHS)
    parser.add_argument('--check', action='store_true')
    parser.add_argument('--run', choices=CHECKS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if not (args.json or args.check or args.run):
        parser.error('give the file that `benchmark --json` wrote')
    cli.refuse_missing(parser, 'json', *args.json)
    wrong = [n for n, *_ in ASSUMED if not vars(args)[n.replace('-', '_')] > 0]
    if wrong:
        parser.error(f'--{wrong[0]} must be above 0')
    return args


def all_reduce_seconds(size: float, number: float, network: float) -> float:
    """A ring sends and receives 2 (n - 1) / n of the gradients' bytes."""
    return 2 * (number - 1) / number * size / network


def step_seconds(
    compute: float, loads: Mapping[str, float], reduce: float = 0.0
) -> tuple[float, str]:
    """The slowest of the model and each task's loader, which overlap.

    Args:
        compute (float): Seconds of forward, backward and optimiser.
        loads (Mapping[str, float]): Seconds of a batch, of all workers of a
            task at once.
        reduce (float): Seconds of the all-reduce, taken as not overlapped.

    Returns:
        tuple[float, str]: Seconds, and what they are bound by.
    """
    parts = {'the step': compute + reduce, **loads}
    slowest = max(parts, key=lambda name: parts[name])
    return parts[slowest], slowest


def checkpoint_interval(save: float, between: float) -> float:
    """Seconds between checkpoints that lose least: J. W. Young, 1974.

    Args:
        save (float): Seconds of a checkpoint.
        between (float): Mean seconds between failures of the whole job.
    """
    return math.sqrt(2 * save * between)


def lost_share(
    save: float, restart: float, between: float, interval: float
) -> float:
    """Share of the time that saving, restarts and steps made again take.

    To first order, J. T. Daly, 2006: a failure loses half an interval.
    """
    return save / interval + (interval / 2 + restart) / between


def read_benchmarks(paths: Sequence[str | Path]) -> dict:
    """The first file's machine, and the rows of all."""
    contents = [json.loads(Path(path).read_text()) for path in paths]
    records = [record for each in contents for record in each['records']]
    return dict(machine=contents[0]['machine'], records=records)


def piece(content: dict, part: str, shape: str) -> float:
    """Median seconds of our side of a benchmark's row."""
    seconds = [
        taken
        for record in content['records']
        if (record['part'], record['side']) == (part, 'ours')
        and record['shape'].partition(',')[0] == shape
        for taken in record['seconds']
    ]
    if not seconds:
        sys.exit(f'no file has the row {shape!r} of {part}: measure that too')
    return statistics.median(seconds)


def number_of_parameters(arch: str) -> int:
    """Parameters that are trained, of the paper's model."""
    from benchmarks.joint_step import build_ours

    return sum(x.numel() for x in build_ours(arch).parameters())


def plan(args: argparse.Namespace, content: dict) -> str:
    """The table of all encoders."""
    from benchmarks.joint_step import operations

    image = piece(content, 'content_views', '2 x 224 px of 375 x 500')
    pair = piece(content, 'frame_pairs', '.mp4')
    # what a process of this machine does in a second
    here = operations() / piece(content, 'recipe_step', '8 x 2 views')
    steps = args.images / (args.batch * args.processes)
    loading = args.batch * image + args.pairs * pair
    read = args.batch * args.image_bytes + args.pairs * args.pair_bytes
    between = 3600 * args.node_hours / (args.processes / args.node_size)
    interval = checkpoint_interval(args.save, between)
    lost = lost_share(args.save, args.restart, between, interval)
    rows = []
    for arch in args.archs:
        work = operations(
            arch, (int(args.batch), 224), (int(args.pairs), 256, 512)
        )
        size = 4 * number_of_parameters(arch)
        reduce = all_reduce_seconds(size, args.processes, args.network)
        step, _ = step_seconds(work / args.gpu_flops, {}, reduce)
        rows.append(
            (
                arch,
                f'{work / here:.0f}',
                f'{step:.3f}',
                f'{reduce:.3f}',
                f'{loading / step:.1f}',
                f'{args.processes * read / step / 1e9:.1f}',
                f'{steps * step / (1 - lost) / 86400:.1f}',
            )
        )
    head = ('encoder', 'step here (s)', 'step (s)', 'all-reduce (s)')
    head += ('decode cores a GPU', 'read (GB/s)', 'days')
    return '\n'.join(
        (
            f'measured: {1e3 * image:.1f} ms of a core an image, '
            f'{1e3 * pair:.1f} ms a pair, {here / 1e9:.1f} GFLOP/s of a '
            f'process; {content["machine"]["processor"]}, '
            f'{content["machine"]["threads"]} threads',
            'assumed: '
            + ', '.join(
                f'{name} {vars(args)[name.replace("-", "_")]:g}'
                for name, *_ in ASSUMED
            ),
            f'{steps:,.0f} steps, each clip '
            f'{steps * args.pairs * args.processes / args.clips:.1f} times; '
            f'{3600 / between:.4f} failures an hour, a checkpoint each '
            f'{interval / 60:.0f} min, {lost:.1%} of the time lost',
            '',
            markdown(head, rows),
        )
    )


def run_job(bound: str) -> None:
    """Train the default job; print each process's seconds of CPU a step."""
    from multiprocessing import active_children
    from tempfile import TemporaryDirectory

    from mmengine.hooks import Hook

    from mcjepa_mm.engine.hooks.end_workers_hook import end_workers_of
    from mcjepa_mm.engine.launch import build_runner, load_config

    class EnoughError(Exception):
        """Ends the job."""

    class Clock(Hook):
        priority = 'LOWEST'

        def __init__(self) -> None:
            self.read: list[dict] = []

        def after_train_iter(self, runner, *_, **__):
            if runner.iter in (PASSED, PASSED + STEPS):
                workers = [child.pid for child in active_children()]
                self.read.append(
                    {x: cpu_seconds(x) for x in ('self', *workers)}
                )
            if runner.iter == PASSED + STEPS:
                raise EnoughError

    clock = Clock()
    with TemporaryDirectory() as folder:
        runner = build_runner(
            load_config(
                cli.find_config('mcjepa_convnext'),
                work_dir=folder,
                cfg_options=[*CHECKS[bound][0], 'log_level=ERROR'],
            )
        )
        runner.register_hook(clock)
        try:
            runner.train()
        except EnoughError:
            end_workers_of(runner)
    first, last = clock.read
    print(json.dumps([(last[x] - first[x]) / STEPS for x in first]))


def cpu_seconds(process: int | str) -> float:
    """Seconds of CPU that a process has had (Linux)."""
    import os

    text = Path(f'/proc/{process}/stat').read_text()
    # user and system, of the fields behind the name in brackets
    fields = text.rpartition(')')[2].split()[11:13]
    return sum(map(int, fields)) / os.sysconf('SC_CLK_TCK')


def check() -> str:
    """Predicted and measured time of two jobs.

    Measured is the CPU time of the busiest process, which is the time of a
    step where each process has a core of its own.
    """
    import os
    from tempfile import TemporaryDirectory

    benchmark = Path(__file__).resolve().parents[1] / 'benchmark.py'
    words = ['job_pieces', '--runs', '2', '--threads', '1', '--no-memory']

    def run(*command: object) -> str:
        done = subprocess.run(
            [sys.executable, *map(str, command)],
            env=dict(os.environ, OMP_NUM_THREADS='1'),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return done.stdout.splitlines()[-1]

    measured = []
    with TemporaryDirectory() as folder:
        files = [Path(folder, f'{i}.json') for i in range(len(CHECKS) + 1)]
        run(benchmark, *words, '--json', files[0])
        for bound, file in zip(CHECKS, files[1:]):
            measured.append(json.loads(run(__file__, '--run', bound)))
            run(benchmark, *words, '--json', file)
        content = read_benchmarks(files)
    compute = piece(content, 'job_pieces', 'step')
    images = 32 * piece(content, 'job_pieces', 'image')
    rows = []
    for (own, *workers), (_, pair) in zip(measured, CHECKS.values()):
        pairs = 4 * piece(content, 'job_pieces', pair)
        expected, by = step_seconds(compute, dict(images=images, pairs=pairs))
        found = max(own, *workers)
        rows.append(
            (by, 'the step' if found == own else 'a loader')
            + (f'{expected:.3f}', f'{found:.3f}', f'{found / expected:.2f}')
        )
    head = ('bound by', 'busiest', 'predicted (s)', 'measured (s)', 'ratio')
    return markdown(head, rows)


def main() -> None:
    """Plan, or check."""
    args = parse_args()
    cli.prefer_checkout()
    import mcjepa_mm  # noqa: F401  (patches imports)

    if args.run:
        run_job(args.run)
    elif args.check:
        print(check())
    else:
        print(plan(args, read_benchmarks(args.json)))


if __name__ == '__main__':
    cli.run(main)
