"""Write the encoder or the flow of a checkpoint as an ONNX or torch graph.

It takes any batch, and images whose sides are multiples of 64, from 128 on.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import _command_line as cli


def main() -> None:
    """Export, or say in one line why not."""
    parser = cli.FilesParser(__doc__)
    parser.share('checkpoint')
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
    parser.share('--out', help='file to write')
    parser.add_argument(
        '--config',
        help='of the flow, a file or a name, where the checkpoint does not '
        'hold it (default: as the checkpoint says)',
    )
    args = parser.parse_args()
    cli.prefer_checkout()
    from mcjepa_mm.exports import export

    found = export(**vars(args))
    said = ', '.join(f'{x:.1e} at {size}' for size, x in found.items())
    unit = 'pixels' if args.what == 'flow' else 'of the largest value'
    print(f'{args.out}: differs from the model by {said} {unit}')


if __name__ == '__main__':
    cli.run(main, cli.INPUT_ERRORS)
