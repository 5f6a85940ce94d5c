"""Write the encoder of a checkpoint, with its hash in the file's name.

The file holds the backbone, with --flow the flow decoder too, and loads as
init_cfg=dict(type='Pretrained', checkpoint=FILE, prefix='backbone.').
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import _command_line as cli

# Metrics of a part that is not published.
EXPANDER = ('content/std', 'content/RankMe')


def _figures(measured: dict) -> dict:
    """What `evaluate` found, of what is published."""
    results = {
        name: {
            key: round(value, 4)
            for key, value in measured[name]['metrics'].items()
            if key not in EXPANDER
        }
        for name in ('trained', 'untrained')
    }
    config = Path(measured['config']).name
    return dict(command=f'evaluate {config}', **results)


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
    parser.add_argument(
        '--flow', action='store_true', help='add the flow decoder'
    )
    parser.add_argument(
        '--half', action='store_true', help='write float16, half the size'
    )
    parser.add_argument(
        '--card',
        nargs='+',
        metavar='KEY=TEXT',
        help='write a card of the weights beside them, NAME-xxxxxxxx.json, '
        "such as --card 'data=own videos' license=CC-BY-4.0",
    )
    parser.add_argument(
        '--figures',
        metavar='FILE',
        help='metrics.json of the command `evaluate`, for the card',
    )
    parser.add_argument(
        '--replace',
        action='store_true',
        help='remove other files of this name from the folder',
    )
    args = vars(parser.parse_args())
    card, figures = args['card'], args.pop('figures')
    if card is not None:
        unfit = [word for word in card if '=' not in word]
        if unfit:
            parser.error(f'--card takes KEY=TEXT, got {unfit[0]!r}')
        args['card'] = dict(word.split('=', 1) for word in card)
    if figures is not None:
        cli.refuse_missing(parser, 'figures', figures)
        measured = json.loads(Path(figures).read_text())
        args['card'] = dict(args['card'] or {}, figures=_figures(measured))
    cli.prefer_checkout()
    from mcjepa_mm.exports import publish
    from mcjepa_mm.models.backbones import read_backbone

    path = publish(**args)
    found = read_backbone(path).settings.items()
    settings = ', '.join(f'{key}={value!r}' for key, value in found)
    print(f'{path}: MCJEPAConvNeXt({settings})')


if __name__ == '__main__':
    cli.run(main, cli.INPUT_ERRORS)
