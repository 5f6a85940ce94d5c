"""Write scenes of the embedded world in the layout of a real data set.

Frames and exact ground truth come out as the files, names and folders of the
real archive, so that what reads the one can be tried on the other.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from _command_line import prefer_checkout, run  # noqa: E402

# What mcjepa_mm.datasets.embedded_world.export knows, which would be slow to
# import for a help text.
LAYOUTS = (
    'flyingchairs',
    'flyingthings3d',
    'sintel',
    'kitti2012',
    'kitti2015',
    'kitti2012_multiview',
    'kitti2015_multiview',
    'kitti_raw',
    'hd1k',
    'voc2012_aug',
    'ade20k',
    'cityscapes',
    'davis2017',
    'imagenet',
)


def parse_args() -> argparse.Namespace:
    """Read the command line, before anything heavy is imported."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        'layout',
        choices=LAYOUTS,
        metavar='layout',
        help=f'data set to imitate: {", ".join(LAYOUTS)}',
    )
    parser.add_argument('out', help='folder to write, empty or not there yet')
    parser.add_argument(
        '--num-scenes', type=int, default=8, help='scenes of each split'
    )
    parser.add_argument(
        '--num-frames',
        type=int,
        help="frames of a scene; by default the layout's own number",
    )
    parser.add_argument(
        '--size',
        type=int,
        nargs=2,
        default=(128, 192),
        metavar=('HEIGHT', 'WIDTH'),
        help='pixels of a frame',
    )
    parser.add_argument(
        '--seed', type=int, default=0, help='seed of the world'
    )
    return parser.parse_args()


def main() -> None:
    """Export, or say in one line why not."""
    args = parse_args()
    prefer_checkout()
    from mcjepa_mm.datasets.embedded_world.export import export

    try:
        export(
            args.layout,
            args.out,
            num_scenes=args.num_scenes,
            num_frames=args.num_frames,
            size=args.size,
            seed=args.seed,
        )
    except (ValueError, OSError) as error:
        raise SystemExit(str(error)) from error
    files = sum(path.is_file() for path in Path(args.out).rglob('*'))
    print(f'{args.out}: {files} files in the layout of {args.layout}')


if __name__ == '__main__':
    run(main)
