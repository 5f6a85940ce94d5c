"""What tells objects apart in the embedded world, before any training.

On scenes of which half of the objects are camouflaged, measures how well
figure is told from ground by colours, by features of random weights and by
the true motion, and how well objects are followed by colours, by the first
mask copied and by perfect features; for camouflaged objects and for others.
An experiment on this world can show what motion brings only where the rows
that it needs hold: the last column says so.
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import _evidence_arms
from _command_line import prefer_checkout, run

if TYPE_CHECKING:
    import numpy as np

CELL = 4  # pixels of a cell's side
REACH = 48  # pixels, DINO's 12 cells at stride 4
KINDS = ('camouflaged', 'easy')
FEATURES = ('colours', 'random')
WORLD = dict(_evidence_arms.WORLD, static=0.0)


def parse_args() -> argparse.Namespace:
    """Read the command line, before anything heavy is imported."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        '--scenes',
        type=int,
        default=60,
        help='pairs of each side, for fitting and for the figures; default: '
        '%(default)s',
    )
    parser.add_argument(
        '--clips', type=int, default=20, help='default: %(default)s'
    )
    parser.add_argument(
        '--steps',
        type=int,
        default=2000,
        help='of the network that tells figure from ground; default: '
        '%(default)s',
    )
    parser.add_argument(
        '--strides',
        nargs='+',
        type=int,
        default=[4, 2],
        metavar='S',
        help='of label propagation, in pixels; default: 4 2',
    )
    parser.add_argument(
        '--seed', type=int, default=0, help='default: %(default)s'
    )
    args = parser.parse_args()
    if args.scenes < 2 or args.clips < 1:
        parser.error('figures need at least 2 scenes and 1 clip')
    return args


def cells_of(scene) -> 'tuple[np.ndarray, np.ndarray]':
    """Kind of each cell, 0 ground, 1 + place in KINDS, and -1 where mixed.

    Returns:
        tuple: (h, w) int64; and (h, w) float64, pixels by which the true flow
        differs from the most common one.
    """
    import numpy as np

    def split(array):
        height, width = (side // CELL for side in array.shape)
        blocks = array.reshape(height, CELL, width, CELL).swapaxes(1, 2)
        return blocks.reshape(height, width, -1)

    table = np.zeros(256, int)
    for number, surface in enumerate(scene.objects):
        table[number] = 1 if surface.camouflaged else 2
    layers = split(scene.layers(0))
    kind = table[layers[..., 0]]
    kind[(layers != layers[..., :1]).any(-1)] = -1
    flow = scene.flow(0, 1)
    usual = np.median(flow, axis=(1, 2), keepdims=True)
    return kind, split(np.hypot(*(flow - usual))).mean(-1)


def read_pairs(seed: tuple[int, ...], count: int, encoder) -> dict[str, Any]:
    """Cells of many scenes: their kind and what may tell it.

    Returns:
        dict: 'kind' (N,), and by name (N, D) float32 tensors.
    """
    import numpy as np
    import torch
    import torch.nn.functional as F

    from mcjepa_mm.datasets.embedded_world import EmbeddedWorld

    world = EmbeddedWorld(seed=seed, **WORLD)
    found: dict[str, list] = {k: [] for k in ('kind', 'motion', *FEATURES)}
    for index in range(count):
        scene = world.scene(index)
        kind, motion = cells_of(scene)
        image = torch.from_numpy(scene.frame(0).transpose(2, 0, 1))[None]
        colors = F.avg_pool2d(image.float(), CELL)
        # a cell and its eight neighbours
        near = F.unfold(F.pad(colors, (1, 1, 1, 1), mode='replicate'), 3)
        maps = [
            F.interpolate(x, kind.shape, mode='bilinear')
            for x in encoder.maps(image)
        ]
        rows = dict(colours=near, random=torch.cat(maps, 1).flatten(2))
        whole = torch.from_numpy(kind.ravel() >= 0)
        found['kind'].append(kind.ravel()[whole.numpy()])
        found['motion'].append(motion.ravel()[whole.numpy()])
        for name, values in rows.items():
            found[name].append(values[0].T[whole])
    return {
        name: np.concatenate(values)
        if name in ('kind', 'motion')
        else torch.cat(values)
        for name, values in found.items()
    }


def balanced_accuracy(is_figure, guess) -> float:
    """Mean of the shares of figure and of ground that are right, per cent."""
    return 50 * float(guess[is_figure].mean() + (~guess[~is_figure]).mean())


def probe(
    fit: dict, test: dict, name: str, kind: int, seed: int, steps: int
) -> float:
    """Balanced accuracy of a network with one hidden layer of 64 units."""
    import torch
    from torch import nn
    from torch.nn.functional import binary_cross_entropy_with_logits

    rows = [part['kind'] for part in (fit, test)]
    used = [torch.from_numpy((row == 0) | (row == kind)) for row in rows]
    truth = [torch.from_numpy(row == kind)[u] for row, u in zip(rows, used)]
    x, x_test = (part[name][u] for part, u in zip((fit, test), used))
    mean, std = x.mean(0), x.std(0) + 1e-6
    x, x_test = (x - mean) / std, (x_test - mean) / std
    y = truth[0].float()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = nn.Sequential(
            nn.Linear(x.shape[1], 64), nn.ReLU(), nn.Linear(64, 1)
        )
        optimizer = torch.optim.AdamW(net.parameters(), 3e-3)
        for _ in range(steps):
            batch = torch.randint(len(x), (2048,))
            loss = binary_cross_entropy_with_logits(
                net(x[batch])[:, 0],
                y[batch],
                pos_weight=(1 - y).sum() / y.sum(),
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        guess = net(x_test)[:, 0] > 0
    return balanced_accuracy(truth[1].numpy(), guess.numpy())


def threshold(fit: dict, test: dict, kind: int) -> float:
    """Balanced accuracy of the motion's size, cut where it fits best."""
    import numpy as np

    sides = []
    for part in (fit, test):
        used = (part['kind'] == 0) | (part['kind'] == kind)
        sides.append((part['motion'][used], part['kind'][used] == kind))
    (motion, truth), (motion_test, truth_test) = sides
    cuts = np.quantile(motion, np.linspace(0, 1, 201))
    best = max(cuts, key=lambda cut: balanced_accuracy(truth, motion > cut))
    return balanced_accuracy(truth_test, motion_test > best)


def follow(
    seed: tuple[int, ...], count: int, stride: int
) -> dict[str, dict[str, float]]:
    """J&F of label propagation, per cent, by way and kind of objects."""
    import numpy as np
    import torch
    import torch.nn.functional as F

    from mcjepa_mm.datasets.embedded_world import EmbeddedWorld, masked_scene
    from mcjepa_mm.evaluation.frozen.encoder import normalize
    from mcjepa_mm.evaluation.functional import object_scores
    from mcjepa_mm.models.propagation import ColorReader, LabelPropagator

    ways = ('first mask', 'colours', 'perfect')
    scores: dict = {way: {kind: [] for kind in KINDS} for way in ways}
    world = EmbeddedWorld(seed=seed, **WORLD)
    for index in range(count):
        clip = masked_scene(world, index)
        layers = np.flatnonzero(clip.numbers)
        number = len(layers)
        reader = ColorReader(levels='all', stride=stride)
        propagators = {
            way: LabelPropagator(radius=REACH // stride) for way in ways[1:]
        }
        for t in range(8):
            truth = clip.mask(t)
            image = torch.from_numpy(clip.scene.frame(t).transpose(2, 0, 1))[
                None
            ]
            size = tuple(image.shape[2:])
            eyes = np.eye(256, dtype=np.float32)[clip.scene.layers(t)]
            perfect = F.avg_pool2d(
                torch.from_numpy(eyes.transpose(2, 0, 1))[None], stride
            )
            feats = dict(
                colours=reader.read(
                    F.avg_pool2d(normalize(image), stride), size, [t == 0]
                )[0],
                perfect=F.normalize(perfect[0].permute(1, 2, 0), dim=-1),
            )
            preds = {
                way: propagator.step(feats[way], size)
                if t
                else propagator.start(feats[way], truth)
                for way, propagator in propagators.items()
            }
            if t == 0:
                first = truth
            if t in (0, 7):  # as in DAVIS
                continue
            for way, pred in {'first mask': first, **preds}.items():
                each = 100 * object_scores(pred, truth, number).mean(0)
                for layer, score in zip(layers, each):
                    hidden = clip.scene.objects[layer].camouflaged
                    scores[way][KINDS[not hidden]].append(score)
    return {
        way: {kind: float(np.mean(x or np.nan)) for kind, x in kinds.items()}
        for way, kinds in scores.items()
    }


def main() -> None:
    """Measure, print, and say what does not hold."""
    args = parse_args()
    prefer_checkout()
    from mcjepa_mm.evaluation.frozen import FrozenEncoder

    settings = dict(
        arch=dict(depths=(1, 1, 2, 1), channels=(48, 96, 160, 224))
    )
    encoder = FrozenEncoder.untrained(settings, args.seed)
    fit, test = (
        read_pairs(seed, args.scenes, encoder)
        for seed in ((args.seed, 8, 0), (args.seed, 8, 1))
    )
    table: dict[str, list[float]] = {
        f'figure-ground by {name} (%)': [
            probe(fit, test, name, kind, args.seed, args.steps)
            for kind in (1, 2)
        ]
        for name in FEATURES
    }
    table['figure-ground by true motion (%)'] = [
        threshold(fit, test, kind) for kind in (1, 2)
    ]
    for stride in args.strides:
        found = follow((args.seed, 8, 2), args.clips, stride)
        for way, kinds in found.items():
            name = f'J&F of {way}'
            if way != 'first mask':
                name += f', stride {stride}'
            table[name] = [kinds[kind] for kind in KINDS]
    hidden = {name: row[0] for name, row in table.items()}
    copied = hidden['J&F of first mask']
    wanted = {
        'figure-ground by colours (%)': (float('-inf'), 65.0),
        'figure-ground by random (%)': (float('-inf'), 65.0),
        'figure-ground by true motion (%)': (85.0, float('inf')),
        **{
            f'J&F of colours, stride {s}': (float('-inf'), copied + 10)
            for s in args.strides
        },
        **{
            f'J&F of perfect, stride {s}': (95.0, float('inf'))
            for s in args.strides
        },
    }
    print('|  | camouflaged | easy | wanted of camouflaged | holds |')
    print('| --- | --- | --- | --- | --- |')
    for name, (first, second) in table.items():
        words = holds = ''
        if name in wanted:
            least, most = wanted[name]
            words = f'below {most:.1f}' if least < 0 else f'above {least:.1f}'
            holds = 'yes' if least <= first <= most else 'NO'
        print(f'| {name} | {first:.1f} | {second:.1f} | {words} | {holds} |')


if __name__ == '__main__':
    run(main)
