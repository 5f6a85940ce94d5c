"""Write an old checkpoint of mmengine anew, so that torch loads it again.

Checkpoints that mmengine wrote without mcjepa_mm hold objects, which
torch >= 2.6 refuses. A training resumes from the new file.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import _command_line as cli


def main() -> None:
    """Convert, or say in one line why not."""
    parser = cli.FilesParser(__doc__)
    parser.share('checkpoint', help='checkpoint that torch refuses')
    parser.add_argument('out', help='file to write')
    args = parser.parse_args()
    cli.prefer_checkout()
    from mcjepa_mm.exports import plain_checkpoint

    plain_checkpoint(**vars(args))
    print(f'{args.out}: loads with weights_only=True')


if __name__ == '__main__':
    cli.run(main, cli.INPUT_ERRORS)
