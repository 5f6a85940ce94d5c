"""Follow the objects of a first-frame mask through a video.

Writes masks/VIDEO/FRAME.png, whose pixels are the numbers of the objects, and
overlays/VIDEO.mp4, the video with the objects drawn over it. The features are
those of a checkpoint's encoder, or of the model of a config.
"""

import _command_line as cli

PROPAGATOR = ('context_frames', 'radius', 'topk', 'temperature', 'max_memory')


def main() -> None:
    """Follow, and say where the results are."""
    parser = cli.FilesParser(__doc__)
    parser.add_argument('video', help='a video, or a folder of frames')
    parser.add_argument(
        'mask',
        help='picture of the size of the first frame: a PNG with a palette, '
        'or a grey one; 0 is background, 1, 2 ... the objects',
    )
    parser.share('--out', dest='out_dir')
    parser.add_argument(
        '--checkpoint',
        help='checkpoint of a pretraining or of a model with its backbone, '
        'or the name of weights of this package; with --config, that of its '
        "model (default without: 'micro')",
    )
    parser.add_argument(
        '--config',
        help='config of a LabelPropagation, a file or the name of one of '
        'this package (default: made for the checkpoint)',
    )
    parser.add_argument(
        '--stride',
        type=int,
        help="pixels from cell to cell (default: the config's, else 8)",
    )
    parser.add_argument(
        '--levels',
        type=lambda word: word if word == 'all' else int(word),
        nargs='+',
        metavar='L',
        help="maps of the backbone to take, or 'all' (default: the config's, "
        'else the one of the stride); without --config 0 to 5 of the '
        'pyramid, at strides 2 to 64',
    )
    parser.add_argument(
        '--short-side',
        type=int,
        metavar='PIXELS',
        help='size at which frames are encoded: the smaller the faster '
        "(default: the config's, else 480)",
    )
    parser.add_argument(
        '--whiten',
        metavar='first_frame|FILE',
        help='whiten features by the statistics of the first frame, or by '
        "those in a file (default: the config's, else not)",
    )
    parser.add_argument(
        '--shrinkage',
        type=float,
        help='least variance of a direction when whitening, as a share of '
        "the largest (default: the config's, else 0.001)",
    )
    parser.add_argument(
        '--context-frames',
        type=int,
        metavar='N',
        help='frames to compare with besides the first (default: the '
        "config's, else 7; so below)",
    )
    parser.add_argument(
        '--radius', type=int, help='cells in each direction (12)'
    )
    parser.add_argument('--topk', type=int, help='cells that vote (5)')
    parser.add_argument('--temperature', type=float, help='of votes (0.1)')
    parser.add_argument(
        '--max-memory',
        type=int,
        metavar='MIB',
        help='for comparing features (256)',
    )
    parser.add_argument(
        '--dtype',
        choices=('float32', 'bfloat16'),
        help="of the features (default: the config's, else float32)",
    )
    parser.share('--opacity', '--frames', '--device')
    parser.share(
        '--fps', help="of the video written (default: the source's, else 24)"
    )
    args = vars(parser.parse_args())
    if args['levels'] == ['all']:
        args['levels'] = 'all'
    if args['checkpoint'] is None and args['config'] is None:
        args['checkpoint'] = 'micro'
    if args['whiten'] not in (None, 'first_frame'):
        cli.refuse_missing(parser, 'whiten', args['whiten'])
    cli.prefer_checkout()
    from mcjepa_mm.apis import propagate_masks

    given = {name: args.pop(name) for name in PROPAGATOR}
    propagator = {k: v for k, v in given.items() if v is not None}
    written = propagate_masks(
        **args, propagator=propagator, show_progress=True
    )
    print(f'{args["out_dir"]}: objects of {len(written)} frames')


if __name__ == '__main__':
    cli.run(main, cli.INPUT_ERRORS)
