"""Check a GPU: operators, training and speed, within 8 minutes, as a report.

Operators, heads and trainings are compared with the CPU, the parts of a step
are timed beside the GPU's rate of matrix products, and what a step eats beside
what the cores load. Writes report.md and report.json. On a CPU it does what
can be done there and says what it left out.
"""

import argparse
import contextlib
import json
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import _command_line as cli

MINUTES = 8


class TimeIsUpError(BaseException):
    """Not an Exception, so that no check takes it for its own."""


def parse_args() -> argparse.Namespace:
    """Read the command line, before anything heavy is imported."""
    parser = cli.OneLineParser(description=__doc__)
    parser.add_argument('--device', **cli.SHARED['--device'])
    parser.add_argument(
        '--out',
        default='work_dirs/gpu_check',
        help='folder for the report; default: %(default)s',
    )
    parser.add_argument(
        '--minutes',
        type=float,
        default=MINUTES,
        help='after which the rest is left out; default: %(default)s',
    )
    return parser.parse_args()


def choose_device(asked: str | None) -> str:
    """The device, 'cpu' or with its index.

    Raises:
        ValueError: If it is not there, or GPUs of two kinds are and none is
            chosen.
    """
    import torch

    from mcjepa_mm.engine.process_group import two_kinds

    names = [
        torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())
    ]
    if asked is None:
        asked = 'cuda' if names else 'cpu'
    try:
        device = torch.device(asked)
    except RuntimeError:
        device = torch.device('meta')
    if device.type not in ('cpu', 'cuda'):
        raise ValueError(f"--device is cpu, cuda or cuda:1 ..., got '{asked}'")
    if device.type == 'cpu':
        return 'cpu'
    if torch.version.cuda is None and torch.version.hip is None:
        raise ValueError(
            f'--device {asked}: torch {torch.__version__} is built without '
            'CUDA. Install a build with it (https://pytorch.org), or give '
            '--device cpu.'
        )
    if (device.index or 0) >= len(names):
        raise ValueError(
            f'--device {asked}: there is no such GPU, torch finds '
            f'{dict(enumerate(names)) or "none"}. nvidia-smi and '
            'CUDA_VISIBLE_DEVICES say why, or give --device cpu.'
        )
    if device.index is None and (said := two_kinds(names)):
        raise ValueError(f'{said} Name one: --device cuda:0.')
    return f'cuda:{device.index or 0}'


def prepare(folder: str) -> Path:
    """Make the folder of the report, or fail before the first check.

    Raises:
        ValueError: If nothing can be written there.
    """
    path = Path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path).close()
    except OSError as error:
        reason = error.strerror
    else:
        return path
    # not within the handler, where it would be a consequence of that error
    raise ValueError(
        f'--out {folder}: the report cannot be written there ({reason}). '
        'Give another folder.'
    )


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeIsUpError within, after a time."""

    def stop(*_) -> None:
        raise TimeIsUpError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def run_check(name: str, check: Callable[[], str | None]) -> dict:
    """A row of the report. What a check raises, the report tells."""
    from _gpu_checks import LeftOutError

    start, result = time.perf_counter(), 'ok'
    try:
        note = check()
    except LeftOutError as error:
        result, note = 'left out', str(error)
    except Exception as error:  # noqa: BLE001
        result, note = 'FAILED', f'{type(error).__name__}: {error}'
    return dict(
        check=name,
        result=result,
        note=' '.join((note or '').split())[:300],
        seconds=time.perf_counter() - start,
    )


def fill(report: dict, device: str) -> None:
    """Check and measure, row by row: what is found stays, whatever follows.

    ``report['left']`` has what is not done yet.
    """
    from _gpu_checks import CHECKS
    from _gpu_speed import demand, judge, rows

    def add(table: str, row: dict) -> None:
        report[table].append(row)
        print(*_cells(row), sep='  ', flush=True)

    def measure() -> None:
        for row in rows(device):
            add('speed', row)

    def load() -> None:
        step = report['speed'][-1]
        report['loading'] = demand(device, step['ms'] / 1e3)
        report['verdicts'] = judge(step, report['loading'], device)

    checks = {name: partial(check, device) for name, check in CHECKS.items()}
    last = list(checks)[-1]  # compiling takes longest
    checks |= dict(speed=measure, loading=load) | {last: checks.pop(last)}
    report['left'] = [*checks]
    for name, check in checks.items():
        add('checks', run_check(name, check))
        report['left'].remove(name)


def as_markdown(report: dict) -> str:
    """The report as a document."""
    results = [x['result'] for x in report['checks']]
    counts = [f'{results.count(x)} {x}' for x in ('ok', 'FAILED', 'left out')]
    tables = [report[x] for x in ('checks', 'speed', 'verdicts')]
    return '\n'.join(
        [
            f'# GPU check: {report["name"]}',
            '',
            ', '.join(f'{k} {v}' for k, v in report['environment'].items()),
            '',
            f'Checks: {", ".join(counts)}; {report["minutes"]:.1f} minutes.',
            '',
            *(line for rows in tables if rows for line in _table(rows)),
            'Left out:',
            '',
            *(f'- {x}' for x in left_out(report) or ['nothing']),
            '',
        ]
    )


def left_out(report: dict) -> list[str]:
    """What the report does not tell."""
    found = [
        f'{x["check"]}: {x["note"]}'
        for x in report['checks']
        if x['note'] and x['result'] != 'FAILED'
    ]
    if report['device'] == 'cpu':
        version = report['environment']['torch']
        found.append(
            'memory, and whether what is expected is reached: no GPU was used '
            f'(torch {version})'
        )
    if report['left']:
        found.append(f'the time was up before: {", ".join(report["left"])}')
    return found


def _table(rows: list[dict]) -> list[str]:
    """Rows of a Markdown table, and an empty line."""
    lines = [[*rows[0]], ['---'] * len(rows[0]), *map(_cells, rows)]
    return [*(f'| {" | ".join(x)} |' for x in lines), '']


def _cells(row: dict) -> list[str]:
    return [
        '' if x is None else f'{x:.3g}' if isinstance(x, float) else str(x)
        for x in row.values()
    ]


def main() -> None:
    """Check, measure and report."""
    args = parse_args()
    start = time.perf_counter()
    cli.prefer_checkout()
    import torch

    import mcjepa_mm  # noqa: F401  (patches imports)
    from mcjepa_mm.utils.provenance import provenance

    device = choose_device(args.device)
    folder = prepare(args.out)
    name = 'a dry run on the CPU'
    if device != 'cpu':
        torch.cuda.set_device(device)
        torch.backends.cudnn.benchmark = True  # as in the configs
        name = torch.cuda.get_device_name(device)
    report = dict(
        name=name,
        device=device,
        environment=dict(provenance(), cuda=torch.version.cuda),
        checks=[],
        speed=[],
        verdicts=[],
        left=[],
    )
    limit = 60 * args.minutes - (time.perf_counter() - start)
    with contextlib.suppress(TimeIsUpError), time_limit(max(limit, 0.1)):
        fill(report, device)
    report['minutes'] = (time.perf_counter() - start) / 60
    text = as_markdown(report)
    (folder / 'report.md').write_text(text)
    (folder / 'report.json').write_text(json.dumps(report, indent=1) + '\n')
    print(f'\n{text}\nwritten to {folder}/report.md and report.json')
    if any(x['result'] == 'FAILED' for x in report['checks']):
        sys.exit(1)


if __name__ == '__main__':
    cli.run(main)
