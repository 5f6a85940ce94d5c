"""Follow the objects of a first-frame mask through a video.

Writes masks/VIDEO/FRAME.png, whose pixels are the numbers of the objects, and
overlays/VIDEO.mp4, the video with the objects drawn over it. The features are
those of a checkpoint's encoder, or of the model of a config.
"""

import argparse

from _command_line import prefer_checkout, refuse_missing, run

PROPAGATOR = ('context_frames', 'radius', 'topk', 'temperature', 'max_memory')


def parse_args() -> argparse.Namespace:
    """Read the command line, before anything heavy is imported."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('video', help='a video, or a folder of frames')
    parser.add_argument(
        'mask',
        help='picture of the size of the first frame: a PNG with a palette, '
        'or a grey one; 0 is background, 1, 2 ... the objects',
    )
    parser.add_argument('--out', required=True, help='folder to write')
    parser.add_argument(
        '--checkpoint',
        help='checkpoint of a pretraining or of a model with its backbone; '
        'with --config, that of its model',
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
        help='frames, besides the first, that are looked at (default: the '
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
    parser.add_argument(
        '--opacity',
        type=float,
        default=0.5,
        help='of the colours over the frames, 0 to 1 (default: 0.5)',
    )
    parser.add_argument(
        '--fps',
        type=float,
        help="of the video written (default: the source's, else 24)",
    )
    parser.add_argument(
        '--frames', type=int, metavar='N', help='stop after N frames'
    )
    parser.add_argument(
        '--device', help='cpu, cuda, cuda:1 ... (default: a GPU if any)'
    )
    args = parser.parse_args()
    if args.levels == ['all']:
        args.levels = 'all'
    if args.checkpoint is None and args.config is None:
        parser.error('give --checkpoint, --config or both')
    refuse_missing(parser, 'video', args.video)
    refuse_missing(parser, 'mask', args.mask)
    if args.checkpoint is not None:
        refuse_missing(parser, 'checkpoint', args.checkpoint)
    if args.whiten not in (None, 'first_frame'):
        refuse_missing(parser, 'whiten', args.whiten)
    return args


def main() -> None:
    """Follow, and say where the results are."""
    args = parse_args()
    prefer_checkout()
    from mcjepa_mm.apis import propagate_masks

    given = {name: getattr(args, name) for name in PROPAGATOR}
    try:
        written = propagate_masks(
            args.video,
            args.mask,
            args.out,
            args.checkpoint,
            args.config,
            opacity=args.opacity,
            fps=args.fps,
            max_frames=args.frames,
            show_progress=True,
            levels=args.levels,
            stride=args.stride,
            short_side=args.short_side,
            whiten=args.whiten,
            shrinkage=args.shrinkage,
            propagator={k: v for k, v in given.items() if v is not None},
            dtype=args.dtype,
            device=args.device,
        )
    except (ValueError, OSError, ImportError) as error:
        raise SystemExit(str(error)) from error
    print(f'{args.out}: objects of {len(written)} frames')


if __name__ == '__main__':
    run(main)
