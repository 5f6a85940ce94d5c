"""Write the encoder or the flow of a checkpoint as an ONNX or torch graph.

It takes any batch, and images whose sides are multiples of 64, from 128 on.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from _command_line import (  # noqa: E402
    find_config,
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
        choices=['encoder', 'flow'],
        required=True,
        help='the pyramid of images, or the flow between two images',
    )
    parser.add_argument(
        '--to',
        choices=['onnx', 'torch'],
        required=True,
        help='the format; torch is that of torch.export',
    )
    parser.add_argument('--out', required=True, help='file to write')
    parser.add_argument(
        '--config',
        help='of the flow, a file or a name, where the checkpoint does not '
        'hold it (default: as the checkpoint says)',
    )
    args = parser.parse_args()
    refuse_missing(parser, 'checkpoint', args.checkpoint)
    if args.config is not None:
        args.config = find_config(args.config)
        refuse_missing(parser, 'config', args.config)
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
            config=args.config,
        )
    except (ValueError, OSError, ImportError) as error:
        raise SystemExit(str(error)) from error
    said = ', '.join(f'{x:.1e} at {size}' for size, x in found.items())
    unit = 'pixels' if args.what == 'flow' else 'of the largest value'
    print(f'{args.out}: differs from the model by {said} {unit}')


if __name__ == '__main__':
    run(main)
