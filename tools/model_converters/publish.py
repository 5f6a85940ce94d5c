"""Write the encoder of a checkpoint, with its hash in the file's name.

The file holds the backbone alone, for a CPU, and loads as
init_cfg=dict(type='Pretrained', checkpoint=FILE, prefix='backbone.').
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import _command_line as cli


def main() -> None:
    """Publish, or say in one line why not."""
    parser = cli.FilesParser(__doc__)
    parser.share('checkpoint')
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
    cli.prefer_checkout()
    from mcjepa_mm.exports import publish
    from mcjepa_mm.models.backbones import read_backbone

    path = publish(**vars(args))
    found = read_backbone(path).settings.items()
    settings = ', '.join(f'{key}={value!r}' for key, value in found)
    print(f'{path}: MCJEPAConvNeXt({settings})')


if __name__ == '__main__':
    cli.run(main, cli.INPUT_ERRORS)
