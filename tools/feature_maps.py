"""Draw what the encoder sees in images: each level of its pyramid in colours.

The colours are the first three principal components of the features. The
checkpoint tells the architecture; no config is needed.
"""

import argparse

from _command_line import prefer_checkout, refuse_missing, run


def parse_args() -> argparse.Namespace:
    """Read the command line, before anything heavy is imported."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'checkpoint',
        help='checkpoint of a pretraining or of a model with its backbone',
    )
    parser.add_argument(
        'inputs',
        nargs='+',
        metavar='IMAGES',
        help='image files and folders of images',
    )
    parser.add_argument(
        '--out', required=True, help='folder to write NAME.png to'
    )
    parser.add_argument(
        '--size',
        type=int,
        metavar='PIXELS',
        help='scale the short side of the images to it (default: 256 if it '
        'is longer, else as it is)',
    )
    parser.add_argument(
        '--strides',
        type=int,
        nargs=6,
        choices=(1, 2),
        default=(2, 2, 2, 2, 2, 2),
        metavar='S',
        help='stride of each step of the pyramid, 1 or 2, such as 2 2 1 2 2 2 '
        'for segmentation (default: 2 2 2 2 2 2, as in the pretraining)',
    )
    parser.add_argument(
        '--shared',
        action='store_true',
        help='let all images share the components of a level, so that a '
        'colour means the same in all of them',
    )
    parser.add_argument(
        '--untrained',
        action='store_true',
        help='add a row of a randomly initialised encoder, to compare with',
    )
    parser.add_argument(
        '--device', help='cpu, cuda, cuda:1 ... (default: a GPU if any)'
    )
    args = parser.parse_args()
    refuse_missing(parser, 'checkpoint', args.checkpoint)
    refuse_missing(parser, 'input', *args.inputs)
    return args


def main() -> None:
    """Draw, and say where the pictures are."""
    args = parse_args()
    prefer_checkout()
    from mcjepa_mm.apis import draw_feature_maps

    try:
        written = draw_feature_maps(
            args.checkpoint,
            args.inputs,
            args.out,
            size=args.size,
            strides=args.strides,
            shared=args.shared,
            untrained=args.untrained,
            device=args.device,
            show_progress=True,
        )
    except (ValueError, OSError, ImportError) as error:
        raise SystemExit(str(error)) from error
    print(f'{args.out}: feature maps of {len(written)} images')


if __name__ == '__main__':
    run(main)
