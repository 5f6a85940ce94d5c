"""Predict the flow of images, a folder of frames, a video or a camera.

Writes numbers, colour pictures or a video, as the frames come in. The flow is
that of weights of this package or, where CONFIG CHECKPOINT stand before the
inputs, of those; the config may be a flow estimator's or the pretraining's.
"""

import os
from contextlib import closing

import _command_line as cli

# What mcjepa_mm writes and reads; it would be slow to import for a help text.
FORMATS = ('flo', 'png', 'color', 'occ', 'video')
CHECKPOINTS = ('.pth', '.pt', '.safetensors')


def is_checkpoint(config: str, word: str) -> bool:
    """Whether it is a checkpoint, or a name of weights behind a config."""
    if word.endswith(CHECKPOINTS):
        return True
    is_path = os.path.exists(config) and not config.endswith('.py')
    if config.isdecimal() or is_path:
        return False  # an input
    return cli.is_name(word) and not (word.isdecimal() or os.path.exists(word))


def main() -> None:
    """Predict, and say where the results are."""
    parser = cli.FilesParser(__doc__)
    parser.add_argument(
        'sources',
        nargs='+',
        metavar='INPUT',
        help='a folder of frames, a video, the number of a camera, or two '
        'and more images that follow each other; before them maybe a config, '
        'a file or the name of one of this package, and its checkpoint or '
        'the name of weights',
    )
    parser.add_argument(
        '--weights',
        default='micro',
        help='name of weights of this package, or a checkpoint that holds its '
        'config, where none is given (default: %(default)s)',
    )
    parser.share('--out', dest='out_dir')
    parser.add_argument(
        '--save',
        nargs='+',
        choices=FORMATS,
        default=('flo', 'color'),
        help="flo: Middlebury's files; png: KITTI's; color: pictures with "
        'legend; occ: occlusions, with --bidirectional; video: frames and '
        'flow side by side (default: flo color)',
    )
    parser.add_argument(
        '--scale',
        type=float,
        help='scale the frames before they are encoded: below 1 is faster and '
        "reaches further (default: the config's)",
    )
    parser.add_argument(
        '--bidirectional',
        action='store_true',
        default=None,
        help='predict the flow back and the occlusions too',
    )
    parser.add_argument(
        '--batch-size',
        type=int,
        default=1,
        help='frames to encode at once (default: 1)',
    )
    parser.share('--device', '--frames')
    parser.add_argument(
        '--max-flow',
        type=float,
        metavar='PIXELS',
        help='length of flow in full colour (default: follows the motion)',
    )
    parser.share(
        '--fps', help="of the video written (default: the source's, else 10)"
    )
    args = vars(parser.parse_args())
    inputs, weights = args.pop('sources'), [args.pop('weights')]
    if len(inputs) > 1 and is_checkpoint(inputs[0], inputs[1]):
        weights, inputs = inputs[:2], inputs[2:]
        cli.refuse_missing(parser, 'checkpoint', weights[1])
        if not inputs:
            parser.error('an INPUT must follow the config and checkpoint')
    if len(inputs) == 1:
        (inputs,) = inputs
    if isinstance(inputs, list):
        cli.refuse_missing(parser, 'input', *inputs)
    elif inputs.isdecimal() and not os.path.exists(inputs):
        inputs = int(inputs)
    else:
        cli.refuse_missing(parser, 'input', inputs)
    cli.prefer_checkout()
    from mcjepa_mm.apis import FlowInferencer

    count = 0
    try:
        inferencer = FlowInferencer(
            *weights, device=args.pop('device'), scale=args.pop('scale')
        )
        samples = inferencer.iterate(inputs, **args, show_progress=True)
        with closing(samples):
            for _ in samples:
                count += 1
    except KeyboardInterrupt:
        # the way to end a camera: what is there so far is complete
        print('stopped')
    saved = ', '.join(args['save'])
    print(f'{args["out_dir"]}: flow of {count} pairs as {saved}')


if __name__ == '__main__':
    cli.run(main, cli.INPUT_ERRORS)
