"""How throughput and memory grow with the batch, the frames, the processes.

Each point is a `train_step` of a config's model, with its optimiser, on random
views in place of the data: all tasks at once, their batches in the proportion
that the config has. Every process of a point is a new one that does nothing
else; several of them are joined by gloo and the model wrapped for them, as in
a training without a GPU. A point's time is the median of its steps after two
that are not counted, and its memory the most that one process held above what
it had before the model was built.

The first value of each list is the base, and one of the three grows at a time.
Linear is: the same time a sample whatever the batch, time in proportion to the
pixels, and twice the samples a second with twice the processes, each of which
brings the batch of the table.

With --ddp the options of DDP are compared instead, at the base of batch and
resolution. All are built in each process and take turns; ratios are of step by
step to the one without options, of time and of the CPU time of process 0.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import _command_line as cli
from _records import markdown

CONFIG = Path(__file__).resolve().parents[2] / 'configs/mcjepa_convnext.py'
WARM_UP = 2
COLUMNS = (
    'batch',
    'resolution',
    'processes',
    'samples/s',
    'share of linear',
    'peak memory (GiB)',
)
Point = tuple[int, int, int]  # batch of a process, resolution, processes


def parse_args() -> argparse.Namespace:
    """Read the command line, before anything heavy is imported."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--config', default=str(CONFIG))
    parser.add_argument(
        '--out',
        default='work_dirs/scaling.png',
        help='file for the plot; default: %(default)s',
    )
    for name, values, text in (
        ('batches', (16, 32, 64, 128), 'samples of the main task a process'),
        ('resolutions', (64, 128, 192, 256), "side of all tasks' views"),
        ('processes', (1, 2, 4), 'numbers of processes'),
    ):
        parser.add_argument(
            f'--{name}',
            type=int,
            nargs='+',
            default=values,
            help=f'{text}; default: {" ".join(map(str, values))}',
        )
    parser.add_argument('--steps', type=int, default=5, help='of a point')
    parser.add_argument(
        '--threads', type=int, default=1, help='of each process; default: 1'
    )
    parser.add_argument('--ddp', action='store_true', help='see above')
    parser.add_argument('--share', nargs=5, help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.config = cli.find_config(args.config)
    cli.refuse_missing(parser, 'config', args.config)
    values = (*args.batches, *args.resolutions, *args.processes)
    if min(*values, args.steps, args.threads) < 1:
        parser.error('all numbers are 1 or more')
    return args


def points(
    batches: Sequence[int],
    resolutions: Sequence[int],
    processes: Sequence[int],
) -> dict[str, list[Point]]:
    """The points of each of the three lines; all begin at the base."""
    batch, resolution, number = batches[0], resolutions[0], processes[0]
    return dict(
        batch=[(n, resolution, number) for n in batches],
        resolution=[(batch, n, number) for n in resolutions],
        processes=[(batch, resolution, n) for n in processes],
    )


def linear(point: Point, base: Point) -> float:
    """Samples a second of a point for each one of the base, if linear."""
    return point[2] / base[2] * (base[1] / point[1]) ** 2


def view_shapes(path: str, batch: int, resolution: int) -> dict[str, tuple]:
    """(N, V, 3, H, W) of the views of every task that a config trains.

    Raises:
        SystemExit: If the batch of another task would not be whole.
    """
    from mmengine.config import Config

    from mcjepa_mm.engine.data_by_task import main_task

    cfg = Config.fromfile(path)
    sizes = {k: x.batch_size for k, x in cfg.train_dataloader.items() if x}
    main = main_task(cfg)
    shapes = {}
    for task, size in sizes.items():
        number, rest = divmod(batch * size, sizes[main])
        if rest or not number:
            sys.exit(
                f'the config has batches of {sizes}: {batch} samples of '
                f'{main!r} leave no whole batch of {task!r}'
            )
        shapes[task] = (number, 2, 3, resolution, resolution)
    return shapes


def ddp_options() -> dict[str, dict]:
    """Arguments of DDP's wrapper, by name; first its defaults."""
    from torch.distributed.algorithms.ddp_comm_hooks import default_hooks

    return {
        'none: buckets of 25 MB': {},
        'buckets of 1 MB': dict(bucket_cap_mb=1),
        'buckets of 100 MB': dict(bucket_cap_mb=100),
        'static_graph': dict(static_graph=True),
        'gradients sent in float16': dict(
            hook=default_hooks.fp16_compress_hook
        ),
    }


def time_options(
    args: argparse.Namespace, shapes: dict[str, tuple]
) -> dict[str, list[tuple[float, float]]]:
    """Wall and CPU seconds of each option's steps, which take turns."""
    import time

    from benchmarks._step import training_step

    steps = {
        name: training_step(args.config, shapes, ddp=ddp)
        for name, ddp in ddp_options().items()
    }
    times: dict[str, list] = {name: [] for name in steps}
    turn = list(steps)
    for _ in range(WARM_UP + args.steps):
        for name in turn:
            begin = time.perf_counter(), time.process_time()
            steps[name]()
            end = time.perf_counter(), time.process_time()
            times[name].append((end[0] - begin[0], end[1] - begin[1]))
        turn = [*turn[1:], turn[0]]
    return {name: found[WARM_UP:] for name, found in times.items()}


def ratio_rows(number: int, times: dict[str, list]) -> list[tuple]:
    """A row for each option: median and range of its ratios to the first."""
    rows = []
    base = next(iter(times.values()))
    for name, found in times.items():
        cells = []
        for clock in (0, 1):
            ratios = sorted(a[clock] / b[clock] for a, b in zip(found, base))
            middle = ratios[len(ratios) // 2]
            cells.append(f'{middle:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})')
        rows.append((number, name, *cells))
    return rows


def run_share(args: argparse.Namespace) -> None:
    """Be one process of a point; print its times and its memory."""
    import torch
    from benchmarks._measure import peak_memory, seconds, synchronizer
    from benchmarks._step import training_step
    from torch import distributed as dist

    batch, resolution, number, rank = map(int, args.share[:4])
    torch.set_num_threads(args.threads)
    if number > 1:
        dist.init_process_group(
            'gloo',
            init_method=f'file://{args.share[4]}/rendezvous',
            rank=rank,
            world_size=number,
        )
    shapes = view_shapes(args.config, batch, resolution)
    if args.ddp:
        print(json.dumps(time_options(args, shapes)))
        return
    times = []

    def make():
        step = training_step(args.config, shapes)

        def work():
            times.extend(
                seconds(step, synchronizer('cpu'))
                for _ in range(WARM_UP + args.steps)
            )

        return work

    peak = peak_memory(make, 'cpu')
    print(json.dumps(dict(times=times[WARM_UP:], peak=peak)))


def run_shares(args: argparse.Namespace, point: Point) -> list[dict]:
    """What the processes of a point print."""
    words = [sys.executable, __file__, '--config', args.config]
    words += ['--steps', str(args.steps), '--threads', str(args.threads)]
    words += ['--ddp'] * args.ddp
    with tempfile.TemporaryDirectory() as folder:
        shares = [
            subprocess.Popen(
                [*words, '--share', *map(str, point), str(rank), folder],
                # before torch is imported: OpenMP reads it once
                env=dict(os.environ, OMP_NUM_THREADS=str(args.threads)),
                stdout=subprocess.PIPE,
                text=True,
            )
            for rank in range(point[2])
        ]
        said = [share.communicate()[0] for share in shares]
    if any(share.returncode for share in shares):
        sys.exit(f'{point} failed:\n{"".join(said)}')
    return [json.loads(text.splitlines()[-1]) for text in said]


def measure(args: argparse.Namespace, point: Point) -> tuple[float, float]:
    """Samples a second of all processes of a point, and GiB of the largest."""
    import statistics

    found = run_shares(args, point)
    slowest = max(statistics.median(each['times']) for each in found)
    gib = max(each['peak'] for each in found) / 2**30
    return point[0] * point[2] / slowest, gib


def table(
    lines: dict[str, list[Point]], found: dict[Point, tuple[float, float]]
) -> str:
    """All points in markdown, the base once."""
    rows = []
    base = lines['batch'][0]
    for point in dict.fromkeys(p for line in lines.values() for p in line):
        rate, gib = found[point]
        share = rate / (found[base][0] * linear(point, base))
        rows.append([*point, f'{rate:.1f}', f'{share:.2f}', f'{gib:.2f}'])
    return markdown(COLUMNS, rows)


def plot(
    path: str,
    title: str,
    lines: dict[str, list[Point]],
    found: dict[Point, tuple[float, float]],
) -> None:
    """Write throughput, beside what is linear, and memory of each line."""
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from mcjepa_mm.utils.image_file import write_image

    figure = Figure(figsize=(11, 6), dpi=110, layout='constrained')
    canvas = FigureCanvasAgg(figure)
    figure.suptitle(title)
    axes = figure.subplots(2, len(lines), sharex='col')
    labels = dict(
        batch='samples of a process',
        resolution='side of the views (pixels)',
        processes='processes',
    )
    for i, (name, line) in enumerate(lines.items()):
        base, x = line[0], [point[i] for point in line]
        rates, memory = zip(*(found[point] for point in line))
        ideal = [rates[0] * linear(point, base) for point in line]
        upper, lower = axes[0, i], axes[1, i]
        upper.plot(x, ideal, '--', color='tab:gray', label='linear')
        upper.plot(x, rates, 'o-', color='tab:blue', label='measured')
        lower.plot(x, memory, 'o-', color='tab:red')
        upper.set_title(f'growing {name}')
        lower.set_xlabel(labels[name])
        for axis in (upper, lower):
            axis.set_ylim(0, 1.1 * axis.get_ylim()[1])
            axis.set_xticks(x)
            axis.grid(alpha=0.3)
    axes[0, 0].set_ylabel('samples / s')
    axes[1, 0].set_ylabel('peak memory of a process (GiB)')
    axes[0, 0].legend()
    canvas.draw()
    write_image(path, np.asarray(canvas.buffer_rgba())[..., :3])


def main() -> None:
    """Measure, print and draw."""
    args = parse_args()
    cli.prefer_checkout()
    import mcjepa_mm  # noqa: F401  (patches imports)

    if args.share:
        run_share(args)
        return
    lines = points(args.batches, args.resolutions, args.processes)
    if args.ddp:
        rows = []
        for point in lines['processes']:
            rows += ratio_rows(point[2], run_shares(args, point)[0])
        head = ('processes', 'option', 'time', 'CPU time')
        print(markdown(head, rows))
        return
    found = {}
    for point in dict.fromkeys(p for line in lines.values() for p in line):
        found[point] = measure(args, point)
    print(table(lines, found))
    base = lines['batch'][0]
    plot(
        args.out,
        f'{Path(args.config).stem}, from {base[0]} samples of {base[1]} x '
        f'{base[1]} pixels on; processes: {base[2]}, threads of each: '
        f'{args.threads}',
        lines,
        found,
    )
    print(f'\nplot: {args.out}')


if __name__ == '__main__':
    cli.run(main)
