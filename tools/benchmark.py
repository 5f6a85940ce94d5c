"""Time and memory of every part of the training beside its peers.

A part is the same work, done by this package and by what a user would
otherwise pick. All sides run in turn in this process, after their results were
compared; memory is that of a process of its own. The floor is what the machine
would need at best: the larger of the arithmetic over its rate of matrix
products and the bytes over its rate of copying, both measured in each turn.
"""

import argparse
import importlib
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from _command_line import prefer_checkout, run

FOLDER = Path(__file__).resolve().parent / 'benchmarks'
# The files that define cases().
PARTS = sorted(
    path.stem
    for path in FOLDER.glob('*.py')
    if '\ndef cases(' in path.read_text()
)
HEADERS = (
    'part',
    'shape',
    'side',
    'ms (range)',
    'of ours (range)',
    'MiB',
    'of ours',
)


def parse_args() -> argparse.Namespace:
    """Read the command line, before anything heavy is imported."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'parts',
        nargs='*',
        metavar='PART',
        help=f'some of {", ".join(PARTS)}; default: all',
    )
    parser.add_argument(
        '--runs', type=int, default=5, help='of each side; default: 5'
    )
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--device', default='cpu')
    parser.add_argument(
        '--no-memory', action='store_true', help='leave it out, it takes long'
    )
    parser.add_argument('--json', metavar='FILE', help='write them there too')
    parser.add_argument(
        '--memory-of',
        nargs=2,
        metavar=('CASE', 'SIDE'),
        help=argparse.SUPPRESS,
    )
    args = parser.parse_args()
    unknown = sorted(set(args.parts) - set(PARTS))
    if unknown:
        parser.error(f'there is no part {unknown}; parts are {PARTS}')
    if args.runs < 1 or args.threads < 1:
        parser.error('--runs and --threads are 1 or more')
    args.parts = args.parts or PARTS
    return args


def load(part: str, device: str) -> list:
    """The cases of a part."""
    # no part of the memory that our side takes
    for ours in ('models', 'datasets', 'exports'):
        importlib.import_module(f'mcjepa_mm.{ours}')
    return importlib.import_module(f'benchmarks.{part}').cases(device)


def print_memory_of(args: argparse.Namespace) -> None:
    """Measure one side in this process, which does nothing else."""
    from benchmarks._measure import peak_memory

    index, side = args.memory_of
    make = load(args.parts[0], args.device)[int(index)].sides[side]
    print(json.dumps(peak_memory(make, args.device)))


def memory(args: argparse.Namespace, part: str, index: int, side: str) -> int:
    """Bytes that a side takes at most, in a process of its own."""
    command = [sys.executable, __file__, part, '--memory-of', str(index), side]
    command += ['--device', args.device, '--threads', str(args.threads)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f'{part}, {side}:\n{done.stdout}{done.stderr}')
    return json.loads(done.stdout.splitlines()[-1])


def measure(args: argparse.Namespace, part: str) -> list[dict[str, Any]]:
    """Print the rows of a part as they come, one per case and side.

    Returns what was measured: seconds of a sample, in each run, and bytes.
    """
    from benchmarks._measure import FLOOR, interleaved

    records = []
    for index, case in enumerate(load(part, args.device)):
        times = interleaved(case, args.runs, args.device)
        ours = next(iter(times))
        taken = {
            side: memory(args, part, index, side)
            for side in times
            if not args.no_memory and side != FLOOR
        }
        for side, found in times.items():
            records.append(
                dict(
                    part=part,
                    shape=case.shape,
                    side=side,
                    seconds=found,
                    clock='CPU' if case.is_cpu_time else 'wall',
                    bytes=taken.get(side),
                )
            )
            ratios = [a / b for a, b in zip(found, times[ours])]
            print_row(
                part,
                case.shape,
                side,
                spread([1e3 * x for x in found]),
                '1' if side == ours else spread(ratios),
                f'{taken[side] / 2**20:.0f}' if side in taken else '',
                f'{taken[side] / taken[ours]:.2f}' if side in taken else '',
            )
    return records


def print_row(*cells: str) -> None:
    """Print a row of a Markdown table."""
    print('|', ' | '.join(cells), '|', flush=True)


def spread(values: list[float]) -> str:
    """Median and range."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f'{middle:.3g} ({low:.3g} to {high:.3g})'


def main() -> None:
    """Measure and print."""
    args = parse_args()
    prefer_checkout()
    import torch

    import mcjepa_mm  # noqa: F401  (patches imports)

    torch.set_num_threads(args.threads)
    if args.memory_of:
        print_memory_of(args)
        return
    from benchmarks._measure import copy_rate, matrix_rate

    rates = matrix_rate(args.device), copy_rate(args.device)
    print(
        f'torch {torch.__version__}, {args.device}, {args.threads} threads, '
        f'{args.runs} runs; matrix product {rates[0] / 1e9:.0f} GFLOP/s, '
        f'copy {rates[1] / 1e9:.1f} GB/s'
    )
    print_row(*HEADERS)
    print_row(*['---'] * len(HEADERS))
    records = []
    for part in args.parts:
        records += measure(args, part)
    if args.json:
        from mcjepa_mm.utils.provenance import provenance

        head = dict(provenance(), device=args.device, rates=rates)
        Path(args.json).write_text(
            json.dumps(dict(machine=head, records=records), indent=1)
        )


if __name__ == '__main__':
    run(main)
