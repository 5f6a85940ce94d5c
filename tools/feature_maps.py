"""Draw what the encoder sees in images: each level of its pyramid in colours.

The colours are the first three principal components of the features. The
checkpoint tells the architecture; no config is needed.
"""

from _command_line import INPUT_ERRORS, FilesParser, prefer_checkout, run


def main() -> None:
    """Draw, and say where the pictures are."""
    parser = FilesParser(__doc__)
    parser.share('checkpoint', 'inputs', '--device')
    parser.share('--out', dest='out_dir', help='folder to write NAME.png to')
    parser.share('--size')
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
    args = parser.parse_args()
    prefer_checkout()
    from mcjepa_mm.apis import draw_feature_maps

    written = draw_feature_maps(**vars(args), show_progress=True)
    print(f'{args.out_dir}: feature maps of {len(written)} images')


if __name__ == '__main__':
    run(main, INPUT_ERRORS)
