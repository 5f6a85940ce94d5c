"""Pretrain on folders of images and videos, from the config to the results.

Writes the config, tries it by a few steps, trains, and ends with the figures,
the pictures and the next commands. Again with the same options, it goes on
where it was stopped.
"""

import os
import signal
import sys

import _command_line as cli
from _mim_child import train_beside_mim


def main() -> None:
    """Pretrain."""
    parser = cli.OneLineParser(description=__doc__)
    parser.add_argument(
        '--images', metavar='FOLDER', help='folder of images, at any depth'
    )
    parser.add_argument(
        '--videos',
        metavar='FOLDER',
        help='folder of videos and folders of frames, at any depth',
    )
    parser.add_argument(
        '--out',
        required=True,
        metavar='FOLDER',
        help='folder of the run, for the config and all results',
    )
    parser.add_argument(
        '--size',
        help="of the encoder: micro, or one of ConvNeXt's, atto to large "
        '(default: tiny on a GPU, else micro)',
    )
    parser.add_argument(
        '--init',
        metavar='CHECKPOINT',
        help='start from it: of this package, or a published ConvNeXt of timm '
        'or mmpretrain, whose stem is fitted to the images',
    )
    parser.add_argument(
        '--epochs', type=int, metavar='N', help="default: the config's"
    )
    parser.add_argument(
        '--epoch-length',
        type=int,
        metavar='N',
        help='steps of an epoch, on the first samples of the data',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action='extend',
        default=[],
        metavar='KEY=VALUE',
        help='settings over those of the config',
    )
    parser.add_argument('--device', **cli.SHARED['--device'])
    args = parser.parse_args()
    if args.device == 'cpu':
        os.environ['CUDA_VISIBLE_DEVICES'] = ''
    train_beside_mim()
    # workers and temporary folders go also then
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))

    cli.prefer_checkout()
    from mcjepa_mm import pretrain

    pretrain(**vars(args))


if __name__ == '__main__':
    cli.run(main)
