"""Segment images, and draw the classes over them.

Writes overlay/NAME.png, the picture of mmsegmentation's visualizer with a
legend, and mask/NAME.png, whose pixels are the classes.
"""

import argparse

from _command_line import prefer_checkout, refuse_missing, run


def parse_args() -> argparse.Namespace:
    """Read the command line, before anything heavy is imported."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'config',
        help='config of a segmentor, a file or the name of one of this '
        'package',
    )
    parser.add_argument('checkpoint', help='its checkpoint')
    parser.add_argument(
        'inputs',
        nargs='+',
        metavar='IMAGES',
        help='image files and folders of images',
    )
    parser.add_argument('--out', required=True, help='folder to write')
    parser.add_argument(
        '--opacity',
        type=float,
        default=0.5,
        help='of the colours over the image, 0 to 1 (default: 0.5)',
    )
    parser.add_argument(
        '--names',
        action='store_true',
        help='write the names of the classes into the picture too',
    )
    parser.add_argument(
        '--device', help='cpu, cuda, cuda:1 ... (default: a GPU if any)'
    )
    args = parser.parse_args()
    refuse_missing(parser, 'checkpoint', args.checkpoint)
    refuse_missing(parser, 'input', *args.inputs)
    return args


def main() -> None:
    """Segment, and say where the pictures are."""
    args = parse_args()
    prefer_checkout()
    from mcjepa_mm.apis import draw_segmentations

    try:
        written = draw_segmentations(
            args.config,
            args.checkpoint,
            args.inputs,
            args.out,
            opacity=args.opacity,
            names=args.names,
            device=args.device,
            show_progress=True,
        )
    except (ValueError, OSError, ImportError) as error:
        raise SystemExit(str(error)) from error
    print(f'{args.out}: classes of {len(written)} images')


if __name__ == '__main__':
    run(main)
