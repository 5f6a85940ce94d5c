"""Time and memory of label propagation beside DINO's, written out plainly.

Both follow the objects of one clip of the embedded world by the stride-8
features of a ResNet-50 (random weights: they do not change the work), each in
processes of its own, in turn. The plain one is that of the tests, so this runs
in a checkout. The masks of the two are compared.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

from _command_line import prefer_checkout

SIDES = ('ours', 'plain')
TESTS = Path(__file__).resolve().parents[1] / 'tests' / 'toys'


def parse_args() -> argparse.Namespace:
    """Read the command line, before anything heavy is imported."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--runs', type=int, default=3, help='runs of each')
    parser.add_argument(
        '--size', type=int, nargs=2, default=(480, 832), help='height, width'
    )
    parser.add_argument(
        '--frames',
        type=int,
        default=10,
        help='of the clip; from the ninth on the context is full (default: '
        '10)',
    )
    parser.add_argument('--dtype', default='float32', help='of ours')
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--side', choices=SIDES, help=argparse.SUPPRESS)
    return parser.parse_args()


def follow(args: argparse.Namespace) -> dict:
    """Seconds, GiB and the masks' checksum of one side."""
    import torch
    from mmengine.structures import BaseDataElement, PixelData

    import mcjepa_mm  # noqa: F401  (mends upstream before it is used)
    from mcjepa_mm.datasets import EmbeddedWorld
    from mcjepa_mm.registry import MODELS

    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    model = MODELS.build(
        dict(
            type='LabelPropagation',
            data_preprocessor=dict(
                type='ViewsDataPreprocessor',
                mean=(123.675, 116.28, 103.53),
                std=(58.395, 57.12, 57.375),
            ),
            # the levels up to stride 8
            backbone=dict(
                type='mmpretrain.ResNet',
                depth=50,
                num_stages=2,
                strides=(1, 2),
                dilations=(1, 1),
                out_indices=(1,),
            ),
            dtype=args.dtype if args.side == 'ours' else 'float32',
        )
    ).eval()
    scene = EmbeddedWorld(args.size).scene(0)
    frames = [
        torch.from_numpy(scene.frame(t)).permute(2, 0, 1)
        for t in range(args.frames)
    ]
    mask = scene.instance_mask(0)

    def sample(t: int) -> BaseDataElement:
        meta = dict(sequence='clip', frame_index=t)
        truth = PixelData(data=torch.from_numpy(mask)[None])
        return BaseDataElement(metainfo=meta, gt_objects=truth)

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    with torch.no_grad():
        if args.side == 'ours':
            masks = []
            for t, frame in enumerate(frames):
                data = dict(inputs=[frame], data_samples=[sample(t)])
                (result,) = model.test_step(data)
                masks.append(result.pred_objects.data[0].numpy())
            masks = masks[1:]
        else:
            sys.path.insert(0, str(TESTS))
            from plain_propagation import plain_masks

            feats = [
                model(model.data_preprocessor(dict(inputs=[frame]))['inputs'])[
                    0
                ]
                for frame in frames
            ]
            masks = plain_masks(feats, mask, tuple(args.size))
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return dict(
        seconds=seconds,
        peak=peak / 2**20,
        grown=(peak - before) / 2**20,
        masks=[mask.tobytes().hex() for mask in masks],
    )


def run(side: str, args: argparse.Namespace) -> dict:
    """One side in a process of its own."""
    command = [sys.executable, __file__, '--side', side]
    for name in ('frames', 'dtype', 'threads'):
        command += [f'--{name}', str(getattr(args, name))]
    command += ['--size', *map(str, args.size)]
    output = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    return json.loads(output.splitlines()[-1])


def main() -> None:
    """Measure and print a table."""
    args = parse_args()
    prefer_checkout()
    if args.side:
        print(json.dumps(follow(args)))
        return
    if not TESTS.is_dir():
        raise SystemExit(
            f'{TESTS}, where the plain implementation is, does not exist; '
            'run this in a checkout of the repository'
        )
    results = {side: [] for side in SIDES}
    for _ in range(args.runs):
        for side in SIDES:
            results[side].append(run(side, args))
    different = sum(
        a != b
        for ours, plain in zip(*results.values())
        for a, b in zip(
            *(bytes.fromhex(''.join(x['masks'])) for x in (ours, plain))
        )
    )
    print(
        f'{args.size[0]} x {args.size[1]}, {args.frames} frames, '
        f'{args.threads} threads, {args.runs} runs, ours in {args.dtype}; '
        f'pixels that differ: {different}\n'
        '| propagation | seconds, median (range) | of ours | peak memory | '
        'above start | of ours |\n| --- | --- | --- | --- | --- | --- |'
    )
    ours = results['ours']
    for side, found in results.items():
        times = [x['seconds'] for x in found]
        ratio = [a / b['seconds'] for a, b in zip(times, ours)]
        peak, grown = (
            statistics.median(x[key] for x in found)
            for key in ('peak', 'grown')
        )
        share = peak / statistics.median(x['peak'] for x in ours)
        print(
            f'| {side} | {statistics.median(times):.1f} '
            f'({min(times):.1f} to {max(times):.1f}) '
            f'| {statistics.median(ratio):.1f} x | {peak:.2f} GiB '
            f'| {grown:.2f} GiB | {share:.1f} x |'
        )


if __name__ == '__main__':
    main()
