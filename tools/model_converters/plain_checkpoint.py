"""Write an old checkpoint of mmengine anew, so that torch loads it again.

Checkpoints that mmengine wrote without mcjepa_mm hold objects, which
torch >= 2.6 refuses. The new file holds tensors, numbers, strings and
containers; a training resumes from it. Nothing of the old file is run.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from _command_line import prefer_checkout, refuse_missing, run  # noqa: E402


def parse_args() -> argparse.Namespace:
    """Read the command line, before anything heavy is imported."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('checkpoint', help='checkpoint that torch refuses')
    parser.add_argument('out', help='file to write')
    args = parser.parse_args()
    refuse_missing(parser, 'checkpoint', args.checkpoint)
    return args


def main() -> None:
    """Convert, or say in one line why not."""
    args = parse_args()
    prefer_checkout()
    from mcjepa_mm.exports import plain_checkpoint

    try:
        plain_checkpoint(args.checkpoint, args.out)
    except (ValueError, OSError) as error:
        raise SystemExit(str(error)) from error
    print(f'{args.out}: loads with weights_only=True')


if __name__ == '__main__':
    run(main)
