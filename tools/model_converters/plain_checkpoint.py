"""Write an old checkpoint of mmengine anew, so that torch loads it again.

Checkpoints that mmengine wrote without mcjepa_mm hold objects, which
torch >= 2.6 refuses. A training resumes from the new file.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from _command_line import prefer_checkout, refuse_missing, run  # noqa: E402


def main() -> None:
    """Convert."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('checkpoint', help='checkpoint that torch refuses')
    parser.add_argument('out', help='file to write')
    args = parser.parse_args()
    refuse_missing(parser, 'checkpoint', args.checkpoint)
    prefer_checkout()
    from mcjepa_mm.exports import plain_checkpoint

    plain_checkpoint(args.checkpoint, args.out)
    print(f'{args.out}: loads with weights_only=True')


if __name__ == '__main__':
    run(main)
