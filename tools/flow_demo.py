"""Predict the flow of images, a folder of frames, a video or a camera.

Writes numbers, colour pictures or a video, as the frames come in. The config
may be that of a flow estimator or of the pretraining.
"""

import argparse
import os
from contextlib import closing

from _command_line import prefer_checkout, refuse_missing, run

# What mcjepa_mm.apis writes, which would be slow to import for a help text.
FORMATS = ('flo', 'png', 'color', 'occ', 'video')


def parse_args() -> argparse.Namespace:
    """Read the command line, before anything heavy is imported."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'config', help='config file, or the name of one of this package'
    )
    parser.add_argument('checkpoint', help='checkpoint')
    parser.add_argument(
        'inputs',
        nargs='+',
        metavar='INPUT',
        help='a folder of frames, a video, the number of a camera, or two '
        'and more images that follow each other',
    )
    parser.add_argument('--out', required=True, help='folder to write')
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
    parser.add_argument(
        '--device', help='cpu, cuda, cuda:1 ... (default: a GPU if any)'
    )
    parser.add_argument(
        '--max-flow',
        type=float,
        metavar='PIXELS',
        help='length of flow in full colour (default: follows the motion)',
    )
    parser.add_argument(
        '--fps',
        type=float,
        help="of the video written (default: the source's, else 10)",
    )
    parser.add_argument(
        '--frames', type=int, metavar='N', help='stop after N frames'
    )
    args = parser.parse_args()
    camera = len(args.inputs) == 1 and args.inputs[0].isdecimal()
    files = [] if camera else args.inputs
    refuse_missing(parser, 'checkpoint', args.checkpoint)
    refuse_missing(parser, 'input', *files)
    if len(args.inputs) == 1:
        (args.inputs,) = args.inputs
        if camera and not os.path.exists(args.inputs):
            args.inputs = int(args.inputs)
    return args


def main() -> None:
    """Predict, and say where the results are."""
    args = parse_args()
    prefer_checkout()
    from mcjepa_mm.apis import FlowInferencer

    count = 0
    try:
        inferencer = FlowInferencer(
            args.config, args.checkpoint, args.device, scale=args.scale
        )
        samples = inferencer.iterate(
            args.inputs,
            batch_size=args.batch_size,
            bidirectional=args.bidirectional,
            max_frames=args.frames,
            out_dir=args.out,
            save=args.save,
            max_flow=args.max_flow,
            fps=args.fps,
            show_progress=True,
        )
        with closing(samples):
            for _ in samples:
                count += 1
    except (ValueError, OSError) as error:
        raise SystemExit(str(error)) from error
    except KeyboardInterrupt:
        # the way to end a camera: what is there so far is complete
        print('stopped')
    print(f'{args.out}: flow of {count} pairs as {", ".join(args.save)}')


if __name__ == '__main__':
    run(main)
