"""Time and memory of a frame pair: MCJEPAFlow beside mmflow's PWC-Net.

Both estimate the forward flow of one pair on the same cost volume, PWC-Net to
a quarter of the size, as it does, MCJEPAFlow to the full size. Times are taken
in this process, interleaved; memory is the peak of a process of its own that
estimates once. Weights are random: they do not change the work.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import time

from _command_line import prefer_checkout

MODELS = {
    'MCJEPAFlow, ConvNeXt-T': 'configs/_base_/models/'
    'mcjepa-flow_convnext-tiny.py',
    "mmflow's PWC-Net": 'mmflow::pwcnet/'
    'pwcnet_8xb1_slong_flyingchairs-384x448.py',
}


def parse_args() -> argparse.Namespace:
    """Read the command line, before anything heavy is imported."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--runs', type=int, default=7, help='runs of each')
    parser.add_argument(
        '--size', type=int, nargs=2, default=(436, 1024), help='height, width'
    )
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--memory-of', help=argparse.SUPPRESS)
    return parser.parse_args()


def build(name: str):
    """The model of a config, ready to predict."""
    from mmengine.config import Config

    import mcjepa_mm  # noqa: F401  (mends upstream before it is used)
    from mcjepa_mm.registry import MODELS as REGISTRY

    path = MODELS[name]
    if '::' in path:
        from mmengine.hub import get_config

        cfg = get_config(path).model
        cfg['_scope_'] = 'mmflow'
    else:
        cfg = Config.fromfile(path).model
    return REGISTRY.build(cfg).eval()


def predict(name: str, model, size: tuple[int, int]) -> None:
    """One pair; PWC-Net has to be given a multiple of 64."""
    import torch

    mode = 'predict'
    if name.startswith('mmflow'):
        mode, size = 'tensor', [-(-side // 64) * 64 for side in size]
    with torch.inference_mode():
        model(torch.zeros(1, 6, *size), mode=mode)


def peak_memory(name: str, args: argparse.Namespace) -> float:
    """GiB that a process takes at most which predicts once."""
    command = [sys.executable, __file__, '--memory-of', name]
    command += ['--threads', str(args.threads), '--size', *map(str, args.size)]
    output = subprocess.run(
        command, check=True, capture_output=True, text=True
    ).stdout
    return float(output.splitlines()[-1])


def main() -> None:
    """Measure and print a table."""
    args = parse_args()
    prefer_checkout()
    import torch

    torch.set_num_threads(args.threads)
    size = tuple(args.size)
    if args.memory_of:
        predict(args.memory_of, build(args.memory_of), size)
        usage = resource.getrusage(resource.RUSAGE_SELF)
        print(usage.ru_maxrss / 2**20)
        return

    models = {name: build(name) for name in MODELS}
    seconds = {name: [] for name in MODELS}
    for turn in range(args.runs + 1):
        for name, model in models.items():
            start = time.perf_counter()
            predict(name, model, size)
            if turn:  # the first one warms up
                seconds[name].append(time.perf_counter() - start)
    first = next(iter(MODELS))
    print(
        f'{size[0]} x {size[1]}, {args.threads} threads, {args.runs} runs\n'
        '| model | parameters | seconds, median (range) | of ours | '
        'peak memory |\n| --- | --- | --- | --- | --- |'
    )
    for name, times in seconds.items():
        ratios = [a / b for a, b in zip(times, seconds[first])]
        count = sum(p.numel() for p in models[name].parameters())
        print(
            f'| {name} | {count / 1e6:.1f} M '
            f'| {statistics.median(times):.2f} '
            f'({min(times):.2f} to {max(times):.2f}) '
            f'| {statistics.median(ratios):.2f} x '
            f'| {peak_memory(name, args):.2f} GiB |'
        )


if __name__ == '__main__':
    main()
