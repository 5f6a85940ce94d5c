"""Say what is wrong with an encoder's features, level by level.

Prints a table and a line that says what is beyond the limits, and writes
diagnosis.json and diagnosis.png. Without a folder the pictures are scenes of
the built-in world. The checkpoint tells the architecture; no config is needed.
"""

import json
from pathlib import Path

from _command_line import INPUT_ERRORS, FilesParser, prefer_checkout, run


def main() -> None:
    """Measure, print and draw."""
    parser = FilesParser(__doc__)
    parser.share('checkpoint', '--device')
    parser.add_argument(
        '--images', metavar='DIR', help='folder with images, at any depth'
    )
    parser.add_argument(
        '--videos',
        metavar='DIR',
        help='folder with videos and folders of frames, at any depth',
    )
    parser.add_argument(
        '--num-images',
        type=int,
        default=256,
        metavar='N',
        help='pictures of each source, if it has as many (default: '
        '%(default)s)',
    )
    parser.add_argument(
        '--size',
        type=int,
        default=128,
        metavar='PIXELS',
        help='side of the pictures, a multiple of 64: scaled to fill a '
        'square, the middle cut out (default: %(default)s)',
    )
    parser.add_argument(
        '--untrained',
        action='store_true',
        help='show the figures of random weights in brackets; the picture '
        'always does',
    )
    parser.add_argument(
        '--out',
        help='folder to write (default: diagnosis/ beside the checkpoint)',
    )
    args = parser.parse_args()
    prefer_checkout()
    import mcjepa_mm  # noqa: F401  (patches imports)
    from mcjepa_mm.apis.diagnosis_report import diagnosis_table, draw_diagnosis
    from mcjepa_mm.apis.feature_diagnosis import LIMITS, diagnose, report
    from mcjepa_mm.utils.atomic_write import atomic_write
    from mcjepa_mm.utils.image_file import write_image

    checkpoint = Path(args.checkpoint)
    out = Path(args.out) if args.out else checkpoint.parent / 'diagnosis'
    found = diagnose(
        checkpoint,
        images=args.images,
        videos=args.videos,
        num_images=args.num_images,
        size=args.size,
        device=args.device,
        show_progress=True,
    )
    out.mkdir(parents=True, exist_ok=True)
    content = dict(
        checkpoint=str(checkpoint),
        size=args.size,
        limits=LIMITS,
        pictures=report(found),
    )
    atomic_write(
        out / 'diagnosis.json', json.dumps(content, indent=2).encode()
    )
    write_image(
        out / 'diagnosis.png',
        draw_diagnosis(found, checkpoint.name, args.size),
    )
    print(f'\n{diagnosis_table(found, untrained=args.untrained)}\n')
    for x in found:
        print(f'{x.pictures}, {x.number} pictures: {x.verdict}')
    print(f'figures: {out / "diagnosis.json"}')
    print(f'picture: {out / "diagnosis.png"}')


if __name__ == '__main__':
    run(main, INPUT_ERRORS)
