"""Write an encoder under the names that another library's ConvNeXt has.

From this package to timm and mmpretrain, whose ConvNeXt takes the encoder
whole once mcjepa_mm.models.backbones.SplitStem is its stem, and back; and
from their published ConvNeXt to this package, all but the stem, which can be
fitted to theirs on images.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import _command_line as cli

# What mcjepa_mm.exports knows, which would be slow to import for a help text.
LIBRARIES = ('mcjepa', 'mmpretrain', 'timm')


def groups(keys: tuple[str, ...]) -> str:
    """Name the parts of a ConvNeXt that these weights belong to."""
    # mmpretrain counts its stem among the steps between the stages
    parts = [key.replace('downsample_layers.0.', 'stem.') for key in keys]
    return ', '.join(dict.fromkeys(part.split('.')[0] for part in parts))


def main() -> None:
    """Convert, and say what was left out, or in one line why not."""
    parser = cli.FilesParser(__doc__)
    parser.share('checkpoint', help='.pth or .safetensors with a ConvNeXt')
    parser.add_argument('--to', required=True, choices=LIBRARIES)
    parser.share(
        '--out', metavar='FILE', help='file to write, .pth or .safetensors'
    )
    parser.add_argument(
        '--conv-mlp',
        action='store_true',
        help="1 x 1 convolutions inside the blocks, for timm's conv_mlp=True "
        "and mmpretrain's linear_pw_conv=False",
    )
    parser.add_argument(
        '--fit-stem',
        dest='stem_images',
        metavar='FOLDER',
        help='fit our stem to that of a published ConvNeXt on these images, '
        'searched at any depth',
    )
    parser.add_argument(
        '--seed', type=int, default=0, help='of --fit-stem (default: 0)'
    )
    args = parser.parse_args()
    cli.prefer_checkout()
    from mcjepa_mm.exports import convert_keys

    done = convert_keys(**vars(args))
    if done.missing:
        print(
            f'{args.checkpoint} has another stem than MCJEPAConvNeXt, whose '
            f'own stem ({len(done.missing)} tensors) is not in the file and '
            'stays as it is initialised'
        )
    if done.stem:
        print(
            f'stem fitted to crops of {done.stem.images} images: relative '
            f'error {done.stem.error:.3f} on held-out ones, of a random stem '
            f'{done.stem.random_error:.3f}'
        )
    if done.left_out:
        print(
            'left out, MCJEPAConvNeXt has no place for them: '
            f'{groups(done.left_out)} ({len(done.left_out)} tensors)'
        )
    settings = ', '.join(f'{k}={v!r}' for k, v in done.settings.items())
    print(
        f'{args.out}: {done.taken} tensors from {done.source} to {args.to}, '
        f'for {settings}'
    )


if __name__ == '__main__':
    cli.run(main, cli.INPUT_ERRORS)
