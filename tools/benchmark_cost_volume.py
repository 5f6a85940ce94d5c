"""Time the cost volume against what public ports of PWC-Net do.

Prints, per shape, the median time of forward and backward together of each
implementation over interleaved runs, and its ratio to ours.
"""

import argparse
import statistics
import time

from _command_line import prefer_checkout

SHAPES = ((2, 96, 48, 104), (8, 48, 32, 32), (8, 96, 16, 16), (2, 32, 64, 128))


def parse_args() -> argparse.Namespace:
    """Read the command line, before anything heavy is imported."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--runs', type=int, default=7, help='runs of each')
    parser.add_argument('--radius', type=int, default=4)
    parser.add_argument('--device', default='cpu')
    return parser.parse_args()


def shift_and_sum(feat1, feat2, radius):
    """One product and one sum over channels per displacement."""
    import torch
    import torch.nn.functional as F

    h, w = feat1.shape[-2:]
    padded = F.pad(feat2, (radius,) * 4)
    steps = range(2 * radius + 1)
    return torch.stack(
        [
            (feat1 * padded[..., dy : dy + h, dx : dx + w]).mean(1)
            for dy in steps
            for dx in steps
        ],
        dim=1,
    )


def unfold_and_einsum(feat1, feat2, radius):
    """All windows of the second map laid out, then one contraction."""
    import torch
    import torch.nn.functional as F

    n, c, h, w = feat1.shape
    windows = F.unfold(feat2, 2 * radius + 1, padding=radius)
    windows = windows.view(n, c, -1, h, w)
    return torch.einsum('nchw,nckhw->nkhw', feat1, windows) / c


def run(function, feats, radius, synchronize) -> float:
    """Seconds of one forward and backward."""
    import torch

    synchronize()
    start = time.perf_counter()
    volume = function(*feats, radius)
    torch.autograd.grad(volume, feats, torch.ones_like(volume))
    synchronize()
    return time.perf_counter() - start


def main() -> None:
    """Print a table, a row per shape."""
    args = parse_args()
    prefer_checkout()
    import torch
    from tabulate import tabulate

    from mcjepa_mm.models.flow import cost_volume

    cuda = torch.device(args.device).type == 'cuda'
    synchronize = torch.cuda.synchronize if cuda else lambda: None
    functions = dict(
        ours=cost_volume,
        shift_and_sum=shift_and_sum,
        unfold_and_einsum=unfold_and_einsum,
    )
    rows = []
    for shape in SHAPES:
        feats = [
            torch.randn(shape, device=args.device, requires_grad=True)
            for _ in range(2)
        ]
        times = {name: [] for name in functions}
        for _ in range(args.runs + 1):
            for name, function in functions.items():
                seconds = run(function, feats, args.radius, synchronize)
                times[name].append(1e3 * seconds)
        rows.append(['x'.join(map(str, shape))])
        for name, values in times.items():
            values = values[1:]  # the first run warms up
            ratios = [a / b for a, b in zip(values, times['ours'][1:])]
            cell = f'{statistics.median(values):.1f} ms'
            if name != 'ours':
                cell += (
                    f', {statistics.median(ratios):.1f} x '
                    f'({min(ratios):.1f} to {max(ratios):.1f})'
                )
            rows[-1].append(cell)
    print(f'torch {torch.__version__}, {torch.get_num_threads()} threads')
    print(tabulate(rows, ['N x C x H x W', *functions], tablefmt='github'))


if __name__ == '__main__':
    main()
