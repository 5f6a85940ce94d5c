"""What the command lines of the tools share.

Imports nothing slow: MIM runs a script with -h before it runs it.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import NoReturn


class OneLineParser(argparse.ArgumentParser):
    """A parser whose errors are one line, without the usage before it."""

    def error(self, message: str) -> NoReturn:
        """End with status 2, as argparse does."""
        self.exit(2, f'{self.prog}: {message}; -h lists the options\n')


def make_parser(description: str) -> argparse.ArgumentParser:
    """Make a parser with the options of every run from a config."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--work-dir',
        help='where the run writes; default: work_dir of the config, else '
        './work_dirs/<name of the config>',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action='extend',
        metavar='KEY=VALUE',
        help='settings over those of the config, such as '
        'randomness.seed=1 or key="[a,b]" (no spaces)',
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='what started this process',
    )
    # torch.distributed.launch passes one spelling or the other.
    parser.add_argument(
        '--local-rank', '--local_rank', type=int, help=argparse.SUPPRESS
    )
    return parser


def make_table_parser(
    description: str,
    *,
    name: str,
    data: str,
    layout: str,
    num_scenes: int,
    checkpoints: str = '+',
) -> argparse.ArgumentParser:
    """Make a parser for a table of checkpoints on the embedded world.

    ``checkpoints`` is how many there may be, as argparse's ``nargs``.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        'checkpoints',
        nargs=checkpoints,
        help='checkpoints with an MCJEPAConvNeXt',
    )
    parser.add_argument(
        '--out',
        default=f'work_dirs/{name}.md',
        help='file for the table; default: %(default)s',
    )
    parser.add_argument(
        '--data',
        default=data,
        help=f'embedded world in the layout {layout}, written if it is not '
        'there; default: %(default)s',
    )
    parser.add_argument(
        '--num-scenes',
        type=int,
        default=num_scenes,
        help='scenes of each split, if it has to be written; default: '
        '%(default)s',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        metavar='KEY=VALUE',
        help='settings over those of the config',
    )
    return parser


def parse(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Parse, and exit with one line where a file that was named is missing."""
    args = parser.parse_args()
    # words that stand for no file
    words = dict(checkpoint='none', resume='auto')
    for name in ('config', 'checkpoint', 'resume'):
        path = getattr(args, name, None)
        if path in (None, words.get(name)) or os.path.isfile(path):
            continue
        parser.exit(2, f'{parser.prog}: {name}: there is no file {path!r}\n')
    if args.local_rank is not None:
        os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def refuse_missing(
    parser: argparse.ArgumentParser, name: str, *paths: str
) -> None:
    """Exit with one line where a file or folder that was named is missing."""
    for path in paths:
        if not os.path.exists(path):
            parser.exit(
                2, f'{parser.prog}: {name}: there is no file {path!r}\n'
            )


def prefer_checkout() -> None:
    """In a checkout, import its own package, installed or not."""
    root = Path(__file__).resolve().parents[1]
    if (root / 'mcjepa_mm').is_dir():
        sys.path.insert(0, str(root))
