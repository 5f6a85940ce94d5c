"""Swap the backbone of every family of configs that mmsegmentation ships.

Takes one config for every combination of backbone, neck and heads in each
folder of mmsegmentation's configs, swaps it as swap_backbone does (which
builds and runs the result), and prints a table in markdown of what swaps, what
swaps with a note, and what cannot, and why.
"""

import argparse
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from _command_line import prefer_checkout, run

# Small backbones first: a family's configs differ in them.
SMALL = ('r18', 'r50', 'tiny', '-t', '-s', 'hr18', 'b0')
# What every swap of an SGD config says; the text above the table says it.
COMMON = 'the optimiser stays SGD'


def variants(folder: Path) -> Iterator[tuple[Path, str]]:
    """One config for every kind of model in a folder, and the kind."""
    from mmengine.config import Config

    seen = set()
    paths = sorted(folder.glob('*.py'))
    paths.sort(key=lambda path: not any(s in path.name for s in SMALL))
    for path in paths:
        model = Config.fromfile(path).get('model') or {}
        kind = ' + '.join(names(model)) or '-'
        if kind not in seen:
            seen.add(kind)
            yield path, kind


def names(model: dict) -> Iterator[str]:
    """Types of backbone, neck and decode heads."""
    for part in ('backbone', 'neck', 'decode_head'):
        value = model.get(part)
        for item in value if isinstance(value, (list, tuple)) else [value]:
            if item:
                yield str(item.get('type')).removeprefix('mmpretrain.')


def main() -> None:
    """Swap them all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--checkpoint',
        help='checkpoint of a pretraining; default: random weights, atto',
    )
    parser.add_argument('families', nargs='*', help='default: all')
    args = parser.parse_args()
    warnings.simplefilter('ignore')
    prefer_checkout()
    import mmseg

    import mcjepa_mm  # noqa: F401  (patches imports)

    configs = Path(mmseg.__file__).parent / '.mim' / 'configs'
    folders = sorted(
        path
        for path in configs.iterdir()
        if path.is_dir()
        and path.name != '_base_'
        and path.name in (args.families or [path.name])
    )
    print('| family | backbone + neck + heads | swaps | note |')
    print('| --- | --- | --- | --- |')
    slowest = 0.0
    for folder in folders:
        for path, kind in variants(folder):
            start = time.perf_counter()
            verdict, note = swap(path, args.checkpoint)
            slowest = max(slowest, time.perf_counter() - start)
            print(f'| {folder.name} | {kind} | {verdict} | {note} |')
            sys.stdout.flush()
    print(f'\nslowest: {slowest:.1f} s')


def swap(path: Path, checkpoint: str | None) -> tuple[str, str]:
    """Verdict and note of one config."""
    from mcjepa_mm.swap import SwapError, swap_backbone

    size = {} if checkpoint else dict(arch='atto')
    with tempfile.TemporaryDirectory() as folder:
        try:
            report = swap_backbone(
                path,
                checkpoint=checkpoint,
                out=Path(folder) / 'swapped.py',
                **size,
            )
        except SwapError as error:
            return 'no', str(error).replace(f'{path.parent}/', '')
    notes = [
        note
        for note in report.notes
        if not note.startswith((COMMON, 'no checkpoint is given'))
    ]
    return 'with a note' if notes else 'yes', '; '.join(notes)


if __name__ == '__main__':
    run(main)
