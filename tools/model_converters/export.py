"""Write the encoder of a checkpoint as an ONNX or torch graph.

It takes any batch, and images whose sides are multiples of 64, from 128 on.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from _command_line import (  # noqa: E402
    prefer_checkout,
    refuse_missing,
    run,
)


def parse_args() -> argparse.Namespace:
    """Read the command line, before anything heavy is imported."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'checkpoint',
        help='checkpoint of a pretraining, or of a model with its backbone',
    )
    parser.add_argument(
        '--what',
        choices=['encoder'],
        required=True,
        help='the pyramid of images',
    )
    parser.add_argument(
        '--to',
        choices=['onnx', 'torch'],
        required=True,
        help='the format; torch is that of torch.export',
    )
    parser.add_argument('--out', required=True, help='file to write')
    args = parser.parse_args()
    refuse_missing(parser, 'checkpoint', args.checkpoint)
    return args


def main() -> None:
    """Export, or say in one line why not."""
    args = parse_args()
    prefer_checkout()
    from mcjepa_mm.exports import export

    try:
        found = export(
            args.checkpoint,
            args.out,
            what=args.what,
            to=args.to,
        )
    except (ValueError, OSError, ImportError) as error:
        raise SystemExit(str(error)) from error
    said = ', '.join(f'{x:.1e} at {size}' for size, x in found.items())
    print(f'{args.out}: differs from the model by {said} of the largest value')


if __name__ == '__main__':
    run(main)
