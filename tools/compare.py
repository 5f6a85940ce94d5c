"""Compare the final figures of runs as a table, and their curves as a picture.

A run is the work dir of a training, resumed or still going on.
"""

from _command_line import INPUT_ERRORS, FilesParser, prefer_checkout, run


def main() -> None:
    """Print the table, draw the picture."""
    parser = FilesParser(__doc__)
    parser.add_argument(
        'runs', nargs='+', metavar='RUN', help='work dir of a training'
    )
    parser.share(
        '--out', required=False, metavar='FILE', help='picture of the curves'
    )
    parser.add_argument(
        '--figures',
        nargs='+',
        metavar='NAME',
        help='figures to compare, with * for any letters, such as "motion/*" '
        '(default: losses and validation; "*" for all)',
    )
    args = parser.parse_args()
    prefer_checkout()
    from mcjepa_mm.apis.run_comparison import compare
    from mcjepa_mm.utils.image_file import write_image

    table, picture = compare(args.runs, args.figures)
    print(table)
    if args.out is not None:
        write_image(args.out, picture)
        print(f'\n{args.out}: the curves')


if __name__ == '__main__':
    run(main, INPUT_ERRORS)
