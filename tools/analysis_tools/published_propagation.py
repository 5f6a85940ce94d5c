"""Measure published backbones on DAVIS 2017 beside their published J&F.

A row for each config of configs/vos that states a published figure, or for
those that are named. Where the file of weights that a config names is in
--weights, its label propagation is measured; where it is not, the row has no
figures of ours. Nothing is downloaded. The table is written as Markdown too.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import _command_line as cli

FIGURES = ('JF_mean', 'J_mean', 'F_mean')
HEAD = ('config', 'weights', 'published J&F', 'J&F', 'J', 'F', 'source')


def parse_args() -> argparse.Namespace:
    """Read the command line, before anything heavy is imported."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add('configs', nargs='*', help='configs, or names of some; default: all')
    add(
        '--data',
        default='data/DAVIS',
        help='folder DAVIS of the data set; default: %(default)s',
    )
    add(
        '--weights',
        default='weights',
        help='folder with the files of weights; default: %(default)s',
    )
    add(
        '--out',
        default='work_dirs/published_propagation.md',
        help='file for the table; default: %(default)s',
    )
    add('--cfg-options', nargs='+', metavar='KEY=VALUE')
    args = parser.parse_args()
    args.configs = [cli.find_config(path) for path in args.configs]
    cli.refuse_missing(parser, 'config', *args.configs)
    return args


def row_of(path: str, args: argparse.Namespace) -> list:
    """A row of the table; measured if its weights are there."""
    from _propagation_sources import measure

    from mcjepa_mm.engine.launch import load_config

    cfg = load_config(path, cfg_options=args.cfg_options)
    init = cfg.model.backbone.init_cfg
    file = Path(args.weights, Path(init.checkpoint).name)
    figures = ['-'] * len(FIGURES)
    if file.is_file():
        init.checkpoint = str(file)
        cfg.test_dataloader.dataset.data_root = args.data
        cfg.log_level = 'ERROR'
        scores = measure(cfg, [])
        figures = [f'{scores[name]:.1f}' for name in FIGURES]
    published = cfg.published
    name = Path(path).stem.removeprefix('label-propagation_')
    known = '-' if published.JF is None else published.JF
    return [name, file.name, known, *figures, published.source]


def main() -> None:
    """Print the table, and write it."""
    args = parse_args()
    cli.prefer_checkout()
    from _records import markdown

    from mcjepa_mm.utils.atomic_write import atomic_write

    paths = args.configs or [
        str(path)
        for path in sorted(Path(cli.ROOT, 'configs/vos').glob('*.py'))
        if '\npublished = ' in path.read_text()
    ]
    rows = [row_of(path, args) for path in paths]
    text = markdown(HEAD, rows) + '\n'
    out = Path(args.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(out, text.encode())
    print(text, end='')


if __name__ == '__main__':
    cli.run(main, cli.INPUT_ERRORS)
