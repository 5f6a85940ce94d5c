"""Print what a file of real_evaluation holds, as Markdown.

Of each arm the mean over seeds with every seed's value, then what one arm has
over others: differences of the seeds' means, with 95 % bootstrap intervals
over clips, pictures or pairs, the same ones for both. A line that begins with
MIXED says where lines of FILE come from different commits, processors or
versions of torch.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import _command_line as cli


def parse_args() -> argparse.Namespace:
    """Read the command line, before anything heavy is imported."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('file', metavar='FILE', help='lines of JSON')
    parser.add_argument(
        '--arm',
        default='joint',
        help='which the others are taken off; default: %(default)s',
    )
    parser.add_argument(
        '--minus',
        nargs='+',
        metavar='ARM',
        help='the others; default: those of untrained, content and motion '
        'that FILE has',
    )
    args = parser.parse_args()
    cli.refuse_missing(parser, 'file', args.file)
    return args


def main() -> None:
    """Read, print."""
    args = parse_args()
    cli.prefer_checkout()
    from _real_table import difference_table, mixed_lines, real_table
    from _records import read_records

    records = read_records(args.file)
    found = {record['arm'] for record in records}
    usual = [x for x in ('untrained', 'content', 'motion') if x in found]
    differences = difference_table(records, args.arm, args.minus or usual)
    parts = mixed_lines(records), real_table(records), differences
    print('\n\n'.join(filter(None, parts)))


if __name__ == '__main__':
    cli.run(main, cli.INPUT_ERRORS)
