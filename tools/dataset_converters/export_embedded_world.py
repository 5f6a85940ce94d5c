"""Write scenes of the embedded world in the layout of a real data set.

Frames and exact ground truth come out as the files, names and folders of the
real archive, so that what reads the one can be tried on the other.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import _command_line as cli

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

WORLD = dict(
    camouflage='share of objects with the texture of the background',
    distractors='share of objects with the outline and the pattern of two '
    'classes',
    static='share of scenes in which nothing moves',
    max_displacement='longest way of an object in a frame, of 128 pixels',
    max_background='the same of the camera',
)


def main() -> None:
    """Export, or say in one line why not."""
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
    parser.add_argument(
        'out_dir',
        metavar='out',
        help='folder to write, empty or not there yet',
    )
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
    world = parser.add_argument_group(
        'the world', 'as the embedded data sets have it by default'
    )
    for name, text in WORLD.items():
        world.add_argument(
            f'--{name.replace("_", "-")}',
            type=float,
            default=argparse.SUPPRESS,
            help=text,
        )
    args = parser.parse_args()
    cli.prefer_checkout()
    from mcjepa_mm.datasets.embedded_world.export import export

    export(**vars(args))
    files = sum(path.is_file() for path in Path(args.out_dir).rglob('*'))
    print(f'{args.out_dir}: {files} files in the layout of {args.layout}')


if __name__ == '__main__':
    cli.run(main, cli.INPUT_ERRORS)
