"""Measure how well features follow objects, in clips with all masks.

Tests label-propagation_mcjepa-convnext-micro_embedded-davis.py with the
encoders of checkpoints, on the built-in world or on a folder in DAVIS's
layout, and prints tables of J&F, J and F: at every --short-side, --stride,
--levels and --whiten. Beside them stand random encoders of the same
architecture, the colours of the cells, masks that stay where the first one is,
and perfect features: one-hot vectors of the true objects. What these miss is
the protocol's own loss: masks are made of cells.

With --choose-on or --dev-clips the stride, the levels and all else are chosen
on other clips, for each of the features by itself: first the table of those
clips, then that of the test clips with the chosen settings only. The means of
trained features over untrained ones and over colours come with an interval
over clips. The same is written as JSON, with the figures of every clip.
"""

import argparse
import json
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import _command_line as cli


def parse_args() -> argparse.Namespace:
    """Read the command line, before anything heavy is imported."""
    parser = cli.make_table_parser(
        __doc__,
        name='label_propagation',
        data='data/embedded_davis',
        layout='davis2017',
        num_scenes=10,
        checkpoints='*',
    )
    add = parser.add_argument
    add(
        '--num-frames',
        type=int,
        default=12,
        help='frames of a clip, likewise; default: %(default)s',
    )
    add(
        '--data-seed',
        type=int,
        default=0,
        help='seed of the world, likewise; default: %(default)s',
    )
    add(
        '--seeds',
        type=int,
        default=3,
        metavar='N',
        help='random encoders of each architecture; default: %(default)s',
    )
    add(
        '--davis',
        metavar='DIR',
        help='instead of the built-in world: a folder in the layout of DAVIS '
        '2016 or 2017, JPEGImages and Annotations with a folder for each '
        'clip, in 480p or right there',
    )
    add(
        '--clips',
        nargs='+',
        metavar='NAME|FILE',
        help='with --davis, clips, or a file that lists them; default: all '
        'that are not --dev-clips',
    )
    add('--step', type=int, default=1, help='take each n-th frame')
    add('--max-frames', type=int, metavar='N', help='of a clip, at most')
    add(
        '--short-side',
        type=int,
        nargs='+',
        metavar='PIXELS',
        help="sizes at which frames are encoded; default: the frames' own, "
        'and in the built-in world three times that',
    )
    add(
        '--stride',
        type=int,
        nargs='+',
        default=[4],
        metavar='PIXELS',
        help='pixels from cell to cell; default: 4',
    )
    add(
        '--levels',
        nargs='+',
        metavar='L',
        help='levels of the pyramid, 0 to 5, with commas between those to '
        "join, or 'all'; default: all, to choose from also 0 1 2 3",
    )
    add(
        '--whiten',
        nargs='+',
        choices=('none', 'first_frame', 'images'),
        default=['none', 'first_frame'],
        help='what features are whitened by; default: none first_frame',
    )
    add(
        '--whiten-images',
        metavar='DIR',
        help='pictures for --whiten images, in and below a folder',
    )
    add(
        '--choose-on',
        type=int,
        metavar='N',
        help='choose on so many clips of another seed of the built-in world',
    )
    add(
        '--dev-seed',
        type=int,
        default=1,
        help='that seed; default: %(default)s',
    )
    add(
        '--dev-clips',
        nargs='+',
        metavar='NAME|FILE',
        help='with --davis, the clips to choose on',
    )
    args = parser.parse_args()
    cli.refuse_missing(parser, 'checkpoint', *args.checkpoints)
    _check(parser, args)
    if args.levels is None:
        choosing = args.choose_on or args.dev_clips
        args.levels = ['all', *'0123'] if choosing else ['all']
    return args


def _check(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Exit where options do not go together."""
    if args.davis:
        cli.refuse_missing(parser, 'davis', args.davis)
        if args.choose_on:
            parser.error(
                '--choose-on is of the built-in world; with --davis '
                'name the --dev-clips'
            )
    elif args.clips or args.dev_clips:
        parser.error('--clips and --dev-clips are clips of --davis')
    if ('images' in args.whiten) != bool(args.whiten_images):
        parser.error('--whiten images needs --whiten-images, and the reverse')
    for word in args.levels or ():
        if word != 'all' and not all(x.isdigit() for x in word.split(',')):
            parser.error(f"--levels: expected 'all', 2 or 0,1,2, got {word!r}")


def find_clips(args: argparse.Namespace) -> tuple[dict, dict | None]:
    """Settings of the data sets of the test clips and of those to choose on.

    Raises:
        OSError, ValueError: If they cannot be read or written, or share a
            clip.
    """
    if args.davis:
        test, dev = _davis_clips(args)
    else:
        test, dev = _world_clips(args)
    if dev is not None:
        _refuse_shared(test, dev)
    return test, dev


def _world_clips(args: argparse.Namespace) -> tuple[dict, dict | None]:
    from mcjepa_mm.datasets.embedded_world.export import export

    wanted = [(Path(args.data), args.num_scenes, args.data_seed)]
    if args.choose_on:
        name = (
            f'{args.data}_dev{args.dev_seed}'
            f'_{args.choose_on}x{args.num_frames}'
        )
        wanted.append((Path(name), args.choose_on, args.dev_seed))
    found = []
    for path, num_scenes, seed in wanted:
        if not path.exists():
            export(
                'davis2017',
                path,
                num_scenes=num_scenes,
                num_frames=args.num_frames,
                seed=seed,
            )
        found.append(
            dict(
                data_root=str(path / 'DAVIS'),
                step=args.step,
                max_frames=args.max_frames,
            )
        )
    return found[0], found[1] if args.choose_on else None


def _davis_clips(args: argparse.Namespace) -> tuple[dict, dict | None]:
    from _propagation_sources import first_frames

    folders = ('480p', 'Full-Resolution')
    images = Path(args.davis, 'JPEGImages')
    base = dict(
        data_root=args.davis,
        split=None,
        resolution=next((x for x in folders if (images / x).is_dir()), None),
        step=args.step,
        max_frames=args.max_frames,
    )
    dev, test = _names(args.dev_clips), _names(args.clips)
    if dev is not None and test is None:
        test = [x for x, *_ in first_frames(base) if x not in dev]
    return (
        dict(base, sequences=test),
        None if dev is None else dict(base, sequences=dev),
    )


def _names(words: Sequence[str] | None) -> list[str] | None:
    """Names of clips, or those in a file."""
    if words is not None and len(words) == 1 and Path(words[0]).is_file():
        return Path(words[0]).read_text().split()
    return words


def _refuse_shared(test: dict, dev: dict) -> None:
    """A choice on the clips that are reported would be none."""
    from _propagation_sources import first_frames

    known = {path.read_bytes(): name for name, path, _ in first_frames(test)}
    for name, path, _ in first_frames(dev):
        if twin := known.get(path.read_bytes()):
            raise ValueError(
                f'the clip to choose on {name!r} is the test clip {twin!r}: '
                'choose on other clips, by --dev-seed or --dev-clips'
            )


class Table:
    """Measures rows, prints each, and writes all of them as they come."""

    def __init__(self, args: argparse.Namespace) -> None:
        import torch

        from mcjepa_mm.version import __version__

        self.args = args
        self.images = _pictures(args.whiten_images)
        self.about = dict(
            command=sys.argv,
            mcjepa_mm=__version__,
            torch=torch.__version__,
            threads=torch.get_num_threads(),
            device=torch.cuda.get_device_name()
            if torch.cuda.is_available()
            else platform.processor() or platform.machine(),
        )
        self.rows: list[dict] = []

    def measure(
        self,
        clips: str,
        dataset: dict,
        source,
        setting,
        *,
        is_best: bool = False,
    ) -> None:
        """Add a row, ``clips`` 'test' or 'dev'."""
        from _propagation_report import table
        from _propagation_sources import config_of, measure

        images = self.images if setting.whiten == 'images' else []
        cfg = config_of(source, setting, dataset, self.args.cfg_options)
        row = dict(
            features=source.name,
            kind=source.kind,
            arch=source.arch,
            **setting._asdict(),
            chosen=is_best,
        )
        row |= measure(cfg, images)
        self.rows.append(dict(clips_of=clips, **row))
        print(table([row]).splitlines()[-1], flush=True)
        self.write()

    def of(self, clips: str) -> list[dict]:
        """The rows of 'test' or 'dev'."""
        return [row for row in self.rows if row['clips_of'] == clips]

    def write(self) -> str:
        """Write the tables, and as JSON beside them all that is known."""
        from _propagation_report import (
            difference_table,
            differences,
            table,
        )

        from mcjepa_mm.utils.atomic_write import atomic_write

        parts = []
        if dev := self.of('dev'):
            parts.append(_title('Clips to choose on', dev) + table(dev))
        found = []
        if test := self.of('test'):
            parts.append(_title('Test clips', test) + table(test))
            found = differences(test, is_choice=bool(dev))
        if found:
            parts.append(difference_table(found))
        text = '\n'.join(parts)
        out = Path(self.args.out)
        atomic_write(out, text.encode())
        everything = dict(self.about, rows=self.rows, differences=found)
        content = json.dumps(everything, indent=1) + '\n'
        atomic_write(out.with_suffix('.json'), content.encode())
        return text


def _title(what: str, rows: Sequence[dict]) -> str:
    return f'{what}: {len(rows[0]["clips"])}, in per cent\n\n'


def _pictures(folder: str | None) -> list[Path]:
    """The pictures in and below a folder, in order."""
    from mcjepa_mm.datasets.clips import IMAGE_SUFFIXES, find_images

    if folder is None:
        return []
    found = [Path(path) for path in find_images(folder, recursive=True)]
    if not found:
        raise ValueError(
            f'{folder} holds no picture ({IMAGE_SUFFIXES}) to whiten by'
        )
    return found


def fill(table: Table, test: dict, dev: dict | None) -> None:
    """Measure all rows."""
    from _propagation_report import choose
    from _propagation_sources import (
        Setting,
        Source,
        every_setting,
        find_sources,
        first_frames,
    )

    args = table.args
    own = next(first_frames(test))[2]
    enlarged = [] if args.davis else [3 * own]
    every = every_setting(
        args.short_side or [own, *enlarged],
        args.stride,
        args.levels,
        args.whiten,
    )
    sources = find_sources(args.checkpoints, args.seeds)
    chosen = {}
    if dev is not None:
        for source in sources:
            if source.is_chosen_for:
                for setting in source.settings(every):
                    table.measure('dev', dev, source, setting)
        chosen = choose(table.of('dev'))
    # the references stand beside all that was chosen
    picked = [x for settings in chosen.values() for x in settings] or every
    for source in sources:
        wanted = chosen.get(source.name) or source.settings(picked)
        for setting in source.settings(every):
            if setting in wanted:
                is_best = source.name in chosen and setting == wanted[0]
                table.measure('test', test, source, setting, is_best=is_best)
    if not args.davis:
        source = Source(
            'perfect features, a cell each pixel',
            'perfect',
            model=dict(type='PerfectPropagation'),
        )
        stride = args.stride[0]
        table.measure('test', test, source, Setting(own * stride, stride))


def main() -> None:
    """Export what is missing, measure, print and write the table."""
    args = parse_args()
    cli.prefer_checkout()
    import _propagation_references  # noqa: F401  (registers them)

    test, dev = find_clips(args)
    Path(args.out).parent.mkdir(parents=True, exist_ok=True)
    table = Table(args)
    fill(table, test, dev)
    print(f'\n{table.write()}')


if __name__ == '__main__':
    cli.run(main, cli.INPUT_ERRORS)
