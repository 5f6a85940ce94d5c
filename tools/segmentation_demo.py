"""Segment images, and draw the classes over them.

Writes overlay/NAME.png, the picture of mmsegmentation's visualizer with a
legend, and mask/NAME.png, whose pixels are the classes.
"""

from _command_line import INPUT_ERRORS, FilesParser, prefer_checkout, run


def main() -> None:
    """Segment, and say where the pictures are."""
    parser = FilesParser(__doc__)
    parser.add_argument(
        'config',
        help='config of a segmentor, a file or the name of one of this '
        'package',
    )
    parser.share('checkpoint', help='its checkpoint')
    parser.share('inputs', '--opacity', '--device')
    parser.share('--out', dest='out_dir')
    parser.add_argument(
        '--names',
        action='store_true',
        help='write the names of the classes into the picture too',
    )
    args = parser.parse_args()
    prefer_checkout()
    from mcjepa_mm.apis import draw_segmentations

    written = draw_segmentations(**vars(args), show_progress=True)
    print(f'{args.out_dir}: classes of {len(written)} images')


if __name__ == '__main__':
    run(main, INPUT_ERRORS)
