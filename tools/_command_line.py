"""Shared command line options of the tools.

Imports nothing slow: MIM runs a script with -h before it runs it.
"""

import argparse
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from mmengine.config import Config

ROOT = Path(__file__).resolve().parents[1]  # of the checkout, or .mim


# Errors that a demo or converter prints as one line.
INPUT_ERRORS = (ValueError, OSError, ImportError)
# Options that several commands have.
SHARED = {
    'checkpoint': dict(
        help='checkpoint of a pretraining, or of a model with its backbone; '
        "or the name of weights of this package, 'micro'"
    ),
    'inputs': dict(
        nargs='+', metavar='IMAGES', help='image files and folders of images'
    ),
    '--out': dict(required=True, help='folder to write'),
    '--size': dict(
        type=int,
        metavar='PIXELS',
        help='scale the short side of the images to it (default: 256 if it '
        'is longer, else as it is)',
    ),
    '--device': dict(help='cpu, cuda, cuda:1 ... (default: a GPU if any)'),
    '--opacity': dict(
        type=float,
        default=0.5,
        help='of the colours over the image, 0 to 1 (default: 0.5)',
    ),
    '--frames': dict(
        type=int, dest='max_frames', metavar='N', help='stop after N frames'
    ),
    '--fps': dict(type=float),
}
# Arguments that must be there, by what the error calls them.
FILES = dict(
    checkpoint='checkpoint',
    inputs='input',
    video='video',
    mask='mask',
)


class OneLineParser(argparse.ArgumentParser):
    """A parser whose errors are one line, without the usage before it."""

    def error(self, message: str) -> NoReturn:
        """End with status 2, as argparse does."""
        self.exit(2, f'{self.prog}: {message}; -h lists the options\n')


class FilesParser(OneLineParser):
    """A parser with shared options, which refuses missing ``FILES``."""

    def __init__(self, description: str) -> None:
        super().__init__(description=description)

    def share(self, *names: str, **changes) -> None:
        """Add options of ``SHARED``, changed."""
        for name in names:
            self.add_argument(name, **{**SHARED[name], **changes})

    def parse_args(self) -> argparse.Namespace:
        """Parse, and check that files are there."""
        args = super().parse_args()
        for dest, name in FILES.items():
            paths = getattr(args, dest, None)
            if isinstance(paths, str):
                paths = [paths]
            refuse_missing(self, name, *paths or ())
        return args


def make_parser(description: str) -> argparse.ArgumentParser:
    """Make a parser with the options of every run from a config."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        'config', help='config file, or the name of one of this package'
    )
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
        choices=['none', 'pytorch', 'slurm'],
        default='none',
        help='what started this process',
    )
    # torch.distributed.launch passes one spelling or the other.
    parser.add_argument(
        '--local-rank', '--local_rank', type=int, help=argparse.SUPPRESS
    )
    return parser


def add_length(parser: argparse.ArgumentParser) -> None:
    """Add the options of another length of the job."""
    length = parser.add_argument_group(
        'length',
        'another length of the job: schedules, ramps, beginnings of tasks '
        'and intervals keep their share of it',
    )
    length.add_argument('--epochs', type=int, metavar='N')
    length.add_argument(
        '--epoch-length',
        type=int,
        metavar='N',
        help='iterations of an epoch, on the first samples of the data',
    )
    length.add_argument(
        '--iters', type=int, metavar='N', help='for jobs without epochs'
    )


def load_training(args: argparse.Namespace) -> 'Config':
    """Read the config of a training, of the length that is asked for.

    Exits with one line where it is for tests only.
    """
    from mcjepa_mm.engine.job_length import set_job_length
    from mcjepa_mm.engine.launch import load_config

    cfg = load_config(
        args.config,
        work_dir=args.work_dir,
        cfg_options=args.cfg_options,
        launcher=args.launcher,
    )
    if cfg.get('train_cfg') is None:
        sys.exit(
            f'{args.config} has nothing to train: it sets no train_cfg, '
            'train_dataloader and optim_wrapper. Test with it.'
        )
    set_job_length(
        cfg,
        epochs=args.epochs,
        epoch_length=args.epoch_length,
        iters=args.iters,
    )
    return cfg


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
    args.config = find_config(args.config)
    # words that stand for no file
    words = dict(checkpoint='none', resume='auto')
    for name in ('config', 'checkpoint', 'resume'):
        path = getattr(args, name, None)
        if path in (None, words.get(name)) or os.path.isfile(path):
            continue
        if name == 'checkpoint' and is_name(path):
            continue
        parser.exit(2, f'{parser.prog}: {name}: there is no file {path!r}\n')
    if args.local_rank is not None:
        os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def is_name(word: str) -> bool:
    """Whether it may name weights of this package, which it then resolves.

    No file of weights is without an ending.
    """
    return not (os.path.dirname(word) or '.' in word)


def refuse_missing(
    parser: argparse.ArgumentParser, name: str, *paths: str
) -> None:
    """Exit with one line where a file or folder that was named is missing."""
    for path in paths:
        if name == 'checkpoint' and is_name(path):
            continue
        if not os.path.exists(path):
            parser.exit(
                2, f'{parser.prog}: {name}: there is no file {path!r}\n'
            )


def find_config(path: str) -> str:
    """Find a config of this package by its name alone.

    Args:
        path (str): A file, or the name of a config, with or without ``.py``.

    Returns:
        str: The file; ``path`` itself where no config has that name.
    """
    if os.path.exists(path) or os.path.dirname(path):
        return path
    name = path.removesuffix('.py')
    found = [*(ROOT / 'configs').rglob(f'{name}.py')]
    return str(found[0]) if found else path


def prefer_checkout() -> None:
    """In a checkout, import its own package, installed or not."""
    if (ROOT / 'mcjepa_mm').is_dir():
        sys.path.insert(0, str(ROOT))


def run(
    main: Callable[[], None], refused: tuple[type[Exception], ...] = ()
) -> None:
    """Run a script; what it refuses is its last line, without a traceback.

    That holds for errors that this package raises itself, whoever passes them
    on, and for files that are missing. Others are faults of the code and show
    where. ``MCJEPA_MM_TRACEBACK=1`` shows it of all.

    Args:
        main (Callable): The script.
        refused (tuple[type]): Errors that are said without their type, and
            wherever they come from.
    """
    try:
        main()
    except Exception as error:
        if os.environ.get('MCJEPA_MM_TRACEBACK'):
            raise
        if isinstance(error, refused):
            sys.exit(str(error))
        if not _is_refusal(error):
            raise
        # what was printed before stands before it
        sys.stdout.flush()
        sys.exit(f'{type(error).__name__}: {error}')


def _is_refusal(error: BaseException) -> bool:
    """Whether this package said ``raise``, or a file is missing."""
    # mmengine's registries raise anew what a part of the config raised
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__
    if isinstance(error, FileNotFoundError):
        return True
    last = traceback.extract_tb(error.__traceback__)[-1]
    folders = [ROOT / 'tools']
    if 'mcjepa_mm' in sys.modules:
        folders.append(Path(sys.modules['mcjepa_mm'].__file__).parent)
    ours = any(Path(last.filename).is_relative_to(x) for x in folders)
    return ours and last.line.startswith('raise ')
