"""Train a trial of a recipe and append what it measured to a file of lines.

Trains a config with its overrides, perhaps not to its end, and measures what
docs/recipe.md asks of a recipe on held-out data of the built-in world: flow,
kNN accuracy, how far levels are one constant or a code of position, and
whether the flow needs the deep levels.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from _command_line import prefer_checkout  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / 'configs' / 'mcjepa_convnext.py'


def parse_args() -> argparse.Namespace:
    """Read the command line, before anything heavy is imported."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('arm', help='name of the trial')
    parser.add_argument('--config', default=str(CONFIG))
    parser.add_argument('--seed', type=int, default=100)
    parser.add_argument(
        '--epochs', type=int, help='stop after so many, schedules unchanged'
    )
    parser.add_argument('--work-dir', required=True)
    parser.add_argument('--out', default='docs/results/recipe.jsonl')
    parser.add_argument(
        '--measure', help='a checkpoint to measure; nothing is trained'
    )
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--cfg-options', nargs='+', default=[])
    return parser.parse_args()


def split_energy(maps):
    """Shares of a constant and, of the rest, of position; (N, C, H, W).

    Position's share is corrected for what means of N images vary by chance.
    """
    x = maps.double()
    n = len(x)
    mean = x.mean((0, 2, 3), keepdim=True)
    constant = mean.square().sum() / x.square().sum(1).mean()
    x = x - mean
    total = x.square().sum(1).mean()
    places = x.mean(0)
    within = (x - places).square().sum() / (n - 1) / places[0].numel()
    between = places.square().sum(0).mean() - within / n
    return constant.item(), max(0.0, (between / total).item())


def encoder_figures(model) -> dict:
    """Shares of constant and position, rank and top direction of levels."""
    import torch

    from mcjepa_mm.datasets import EmbeddedPairs
    from mcjepa_mm.evaluation.functional import rank_me

    data = EmbeddedPairs(256, split='val', seed=1, with_gt=False)
    levels = None
    for i in range(0, 256, 32):
        frames = torch.stack([data[j]['inputs'][0] for j in range(i, i + 32)])
        views = model.data_preprocessor.tasks['motion'](dict(inputs=frames))[
            'inputs'
        ]
        feats = model.extract_feat(views)
        if levels is None:
            levels = [[] for _ in feats]
        for kept, x in zip(levels, feats):
            kept.append(x)
    out = {}
    for i, kept in enumerate(levels):
        x = torch.cat(kept)
        constant, position = split_energy(x)
        cells = x.movedim(1, -1).flatten(0, 2)
        cells = cells[:: max(1, len(cells) // 4096)].double()
        cells = cells - cells.mean(0)
        power = torch.linalg.svdvals(cells).square()
        out[f'level{i}'] = dict(
            constant=round(constant, 4),
            position=round(position, 4),
            std=round(cells.std(0).mean().item(), 4),
            rank=round(rank_me(cells), 1),
            top=round((power[0] / power.sum()).item(), 3),
        )
    return out


def flow_figures(model, crop: dict) -> dict:
    """EPE on held-out pairs, as it is and with levels 3 to 5 exchanged."""
    import numpy as np
    import torch

    from mcjepa_mm.datasets import EmbeddedPairs

    np.random.seed(0)
    head = model.heads['motion']
    data = EmbeddedPairs(64, split='val', **crop)
    errors = {'as_is': [], 'zero': [], 'shuffled': []}
    for i in range(0, 64, 16):
        samples = [data[j] for j in range(i, i + 16)]
        inputs = torch.stack([s['inputs'] for s in samples])
        truth = torch.stack(
            [s['data_samples'].gt_flow_fw.data for s in samples]
        )
        views = model.data_preprocessor.tasks['motion'](dict(inputs=inputs))
        views = views['inputs']
        feats = model.extract_feat(views)
        for name in ('as_is', 'shuffled'):
            if name == 'shuffled':
                # both frames of a pair move together, to another pair
                feats = [
                    x if level < 3 else x.roll(2, 0)
                    for level, x in enumerate(feats)
                ]
            _, flow, _ = head.estimate(
                head.split(feats, views), views.shape[-2:]
            )
            flow = flow[: len(truth)]
            errors[name].append((flow - truth).norm(dim=1).mean())
        errors['zero'].append(truth.norm(dim=1).mean())
    return {k: torch.stack(v).mean().item() for k, v in errors.items()}


def object_figures(model) -> dict:
    """Ridge probes of cells: figure-ground and the class of objects.

    Levels 2 to 5 at stride 8, 150 scenes to fit, 50 to test, classes
    weighted equally; balanced accuracies in per cent (chance 50 and 10).
    """
    import numpy as np
    import torch
    import torch.nn.functional as F

    from mcjepa_mm.datasets import EmbeddedPairs

    world = EmbeddedPairs(200, split='val', seed=2).world
    scenes = [world.scene(i) for i in range(200)]
    frames = np.stack([s.frame(0).transpose(2, 0, 1) for s in scenes])
    labels = np.stack([s.class_mask(0)[4::8, 4::8] for s in scenes])
    labels = torch.from_numpy(labels).long().flatten(1)
    cells = []
    for chunk in torch.from_numpy(frames).split(25):
        views = model.data_preprocessor.tasks['motion'](dict(inputs=chunk))
        feats = model.extract_feat(views['inputs'])[2:]
        grid = [
            F.interpolate(x, (16, 16), mode='bilinear', align_corners=False)
            for x in feats
        ]
        cells.append(torch.cat(grid, 1).movedim(1, -1).flatten(1, 2))
    cells = torch.cat(cells).double()
    out = {}
    for name, target, keep in (
        ('figure_ground', (labels > 0).long(), labels >= 0),
        ('object_class', labels - 1, labels > 0),
    ):
        fit, test = keep[:150], keep[150:]
        x, y = cells[:150][fit], target[:150][fit]
        mean, std = x.mean(0), x.std(0) + 1e-6
        x = F.pad((x - mean) / std, (0, 1), value=1.0)
        count = y.bincount().double()
        weight = (len(y) / len(count) / count)[y][:, None]
        gram = x.T @ (weight * x)
        gram.diagonal().add_(1e-2 * gram.diagonal().mean())
        w = torch.linalg.solve(gram, x.T @ (weight * F.one_hot(y).double()))
        x, y = cells[150:][test], target[150:][test]
        found = (F.pad((x - mean) / std, (0, 1), value=1.0) @ w).argmax(1)
        hits = [(found[y == c] == c).double().mean() for c in y.unique()]
        out[name] = round(100 * torch.stack(hits).mean().item(), 2)
    return out


def centred_knn(model, dataset) -> float:
    """KNN accuracy in per cent of centred embeddings."""
    import torch
    import torch.nn.functional as F

    from mcjepa_mm.evaluation.functional import knn_accuracy

    rows, labels = [], []
    for i in range(0, len(dataset), 50):
        samples = [dataset[j] for j in range(i, i + 50)]
        views = model.data_preprocessor.tasks['content'](
            dict(inputs=torch.stack([s['inputs'] for s in samples]))
        )['inputs']
        rows.append(model.extract_feat(views)[-1].mean((2, 3)))
        labels += [int(s['data_samples'].gt_label) for s in samples]
    z = torch.cat(rows)
    z = F.normalize(z - z.mean(0), dim=1)
    return 100 * knn_accuracy(z, torch.tensor(labels))


def main() -> None:
    """Train, measure, append a line."""
    args = parse_args()
    prefer_checkout()
    import torch

    import mcjepa_mm  # noqa: F401
    from mcjepa_mm.engine.launch import build_runner, load_config

    torch.set_num_threads(args.threads)
    options = [f'randomness.seed={args.seed}', *args.cfg_options]
    if args.epochs:
        options += [f'train_cfg.max_epochs={args.epochs}']
        options += [f'train_cfg.val_interval={args.epochs}']
    cfg = load_config(args.config, work_dir=args.work_dir, cfg_options=options)
    cfg.custom_hooks = [
        h for h in cfg.custom_hooks if h.type != 'PretrainVisualizationHook'
    ]
    for value in (args.arm, args.seed):
        cfg.experiment_name = f'{args.arm}-{value}'
    start = time.time()
    runner = build_runner(cfg)
    torch.set_num_threads(args.threads)
    if args.measure:
        runner.val_loop  # noqa: B018  (built when asked for)
        if args.measure == 'none':
            runner._init_model_weights()
        else:
            runner.load_checkpoint(args.measure)
        runner.val_loop.run()
    else:
        runner.train()
    model = runner.model.eval()
    scalars = runner.message_hub.log_scalars
    line = dict(arm=args.arm, seed=args.seed, steps=runner.iter)
    line['seconds'] = round(time.time() - start)
    if 'train/time' in scalars:
        times = sorted(scalars['train/time']._log_history)
        line['step'] = round(float(times[len(times) // 2]), 3)
    for key in ('motion/EPE_ratio', 'content/kNN', 'propagation/JF_mean'):
        if f'val/{key}' in scalars:
            line[key] = round(float(scalars[f'val/{key}'].current()), 4)
    with torch.no_grad():
        if 'content' in model.heads:
            content = runner.val_loop.dataloader.loaders['content'].dataset
            line['kNN_centred'] = round(centred_knn(model, content), 2)
        line['levels'] = encoder_figures(model)
        line.update(object_figures(model))
        if 'motion' in model.heads:
            hooks = {h['type']: h for h in cfg.custom_hooks}
            tasks = hooks['MultiTaskHook'].get('tasks', {})
            pairs = tasks.get('motion', {}).get(
                'dataloader', cfg.train_dataloader
            )['dataset']
            crop = {
                k: pairs[k]
                for k in ('size', 'crop_size', 'max_offset')
                if k in pairs
            }
            line['cropped'] = flow_figures(model, crop)
            line['whole'] = flow_figures(model, {})
    commit = subprocess.run(
        ['git', '-C', str(ROOT), 'rev-parse', '--short', 'HEAD'],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    line.update(
        options=args.cfg_options,
        commit=commit,
        torch=torch.__version__,
        cpu=torch.backends.cpu.get_cpu_capability(),
    )
    out = Path(args.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open('a') as file:
        file.write(json.dumps(line) + '\n')
    print(json.dumps(line))


if __name__ == '__main__':
    main()
