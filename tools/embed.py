"""Write the feature vectors of images or of a video's frames to a file.

A vector is the spatial mean of a level of the encoder's pyramid. The
checkpoint tells the architecture; no config is needed.
"""

from _command_line import INPUT_ERRORS, FilesParser, prefer_checkout, run


def main() -> None:
    """Embed, and say what was written."""
    parser = FilesParser(__doc__)
    parser.share(
        'inputs',
        nargs=None,
        metavar='INPUT',
        help='an image, a folder of images at any depth, or a video',
    )
    parser.add_argument(
        '--weights',
        required=True,
        help='checkpoint of a pretraining, or of a model with its backbone',
    )
    parser.add_argument(
        '--to',
        metavar='FILE',
        help='.npy, with the names in NAME.names.json beside it, .csv or '
        '.parquet',
    )
    parser.add_argument(
        '--sheet',
        metavar='FILE',
        help='picture of images of the folder, each with its nearest '
        'neighbours by cosine',
    )
    parser.add_argument(
        '--level',
        type=int,
        metavar='N',
        help='level of the pyramid, 0 (stride 2) to 5 (stride 64) (default: '
        'the coarsest)',
    )
    parser.add_argument(
        '--maps',
        action='store_true',
        help='write the maps themselves in place of their means; .npy only',
    )
    parser.share('--size', '--device')
    args = parser.parse_args()
    if args.to is None and args.sheet is None:
        parser.error('name a file to write, --to or --sheet')
    prefer_checkout()
    from mcjepa_mm.apis import embed

    found = embed(**vars(args), show_progress=True)
    shape = ' x '.join(map(str, found.values.shape))
    print(f'{args.to or args.sheet}: {shape}, of {len(found.names)} images')


if __name__ == '__main__':
    run(main, INPUT_ERRORS)
