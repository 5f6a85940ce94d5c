"""Write the encoder of a checkpoint, with its hash in the file's name.

The file holds the backbone alone, for a CPU, and loads as
init_cfg=dict(type='Pretrained', checkpoint=FILE, prefix='backbone.').
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from _command_line import prefer_checkout, refuse_missing, run  # noqa: E402


def parse_args() -> argparse.Namespace:
    """Read the command line, before anything heavy is imported."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'checkpoint',
        help='checkpoint of a pretraining, or of a model with its backbone',
    )
    parser.add_argument(
        '--out',
        metavar='FOLDER_OR_NAME',
        help='a folder, or the path of the file up to its hash (default: '
        "beside the checkpoint, named as the training's config)",
    )
    parser.add_argument(
        '--safetensors',
        action='store_true',
        help='write .safetensors with bare names in place of .pth',
    )
    args = parser.parse_args()
    refuse_missing(parser, 'checkpoint', args.checkpoint)
    return args


def main() -> None:
    """Publish, or say in one line why not."""
    args = parse_args()
    prefer_checkout()
    from mcjepa_mm.exports import publish
    from mcjepa_mm.models.backbones import read_backbone

    try:
        path = publish(args.checkpoint, args.out, safetensors=args.safetensors)
    except (ValueError, OSError, ImportError) as error:
        raise SystemExit(str(error)) from error
    settings = ', '.join(
        f'{key}={value!r}'
        for key, value in read_backbone(path).settings.items()
    )
    print(f'{path}: MCJEPAConvNeXt({settings})')


if __name__ == '__main__':
    run(main)
