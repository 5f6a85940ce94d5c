"""Train a trial of a recipe and measure what docs/recipe.md asks of it.

Trains a config with its overrides, perhaps not to its end, validates it, and
measures on further held-out data of the built-in world whether the flow needs
the coarse levels, what the levels are made of, and what a ridge probe reads
off their cells. One line of JSON a trial is added to a file; --table prints
such a file.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from _command_line import prefer_checkout

CONFIG = Path(__file__).resolve().parents[2] / 'configs/mcjepa_convnext.py'
COARSE = 3  # from this level on, levels are exchanged


def parse_args() -> argparse.Namespace:
    """Read the command line, before anything heavy is imported."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('arm', nargs='?', help='name of the trial')
    parser.add_argument(
        '--table', action='store_true', help='print --out, run nothing'
    )
    parser.add_argument('--config', default=str(CONFIG))
    parser.add_argument('--seed', type=int, default=100)
    parser.add_argument(
        '--epochs', type=int, help='stop after so many, schedules unchanged'
    )
    parser.add_argument(
        '--measure',
        metavar='CHECKPOINT',
        help='train nothing, measure this; "none" for random weights',
    )
    parser.add_argument('--work-dir', default='work_dirs/recipe_trial')
    parser.add_argument(
        '--out',
        default='docs/results/recipe.jsonl',
        help='file of lines; default: %(default)s',
    )
    parser.add_argument(
        '--threads', type=int, default=1, help='default: %(default)s'
    )
    parser.add_argument(
        '--cfg-options', nargs='+', default=[], metavar='KEY=VALUE'
    )
    args = parser.parse_args()
    if args.arm is None and not args.table:
        parser.error('name the trial, or ask for the --table')
    return args


def level_figures(model) -> dict[str, dict[str, float]]:
    """What each level is made of, over first frames of 256 scenes."""
    from _probes import FirstFrames, pyramids

    from mcjepa_mm.datasets import EmbeddedPairs
    from mcjepa_mm.evaluation.functional.feature_moments import FeatureMoments

    data = FirstFrames(EmbeddedPairs(256, seed=1, split='val'))
    moments = None
    for feats in pyramids(model, data, 32):
        moments = moments or [FeatureMoments() for _ in feats]
        for moment, x in zip(moments, feats):
            moment.add(x)
    return {
        f'level{i}': dict(
            constant=round(x.constant_share(), 4),
            position=round(x.position_share(), 4),
            rank=round(x.rank(), 1),
            top=round(x.top_direction_share(), 4),
        )
        for i, x in enumerate(moments)
    }


def flow_figures(model, pairs: dict) -> dict[str, float]:
    """EPE on 64 held-out pairs, and with the coarse levels exchanged.

    Both frames of a pair get the coarse levels of another pair's frames.
    """
    import numpy as np
    import torch

    from mcjepa_mm.datasets import EmbeddedPairs

    np.random.seed(0)
    head = model.heads['motion']
    data = EmbeddedPairs(64, split='val', **pairs)
    errors = dict(zero=[], own=[], exchanged=[])
    for i in range(0, len(data), 16):
        samples = [data[j] for j in range(i, i + 16)]
        inputs = torch.stack([s['inputs'] for s in samples])
        truth = torch.stack(
            [s['data_samples'].gt_flow_fw.data for s in samples]
        )
        prepare = model.data_preprocessor.tasks['motion']
        views = prepare(dict(inputs=inputs))['inputs']
        feats = model.extract_feat(views)
        exchanged = [
            x.roll(views.shape[1], 0) if level >= COARSE else x
            for level, x in enumerate(feats)
        ]
        errors['zero'].append(truth.norm(dim=1).mean())
        for name, maps in (('own', feats), ('exchanged', exchanged)):
            _, flow, _ = head.estimate(
                head.to_pair_pyramids(maps, views), views.shape[-2:]
            )
            error = (flow[: len(truth)] - truth).norm(dim=1).mean()
            errors[name].append(error)
    return {
        name: round(torch.stack(values).mean().item(), 4)
        for name, values in errors.items()
    }


def trial(args: argparse.Namespace) -> dict:
    """Train and measure; the line of the trial."""
    import time

    import torch
    from _probes import cell_figures

    from mcjepa_mm.apis.training_results import validation_metrics
    from mcjepa_mm.engine.launch import (
        build_runner,
        initialize_model,
        load_config,
    )
    from mcjepa_mm.utils.provenance import provenance

    options = [f'randomness.seed={args.seed}', *args.cfg_options]
    if args.epochs:
        options += [
            f'train_cfg.max_epochs={args.epochs}',
            f'train_cfg.val_interval={args.epochs}',
        ]
    cfg = load_config(args.config, work_dir=args.work_dir, cfg_options=options)
    cfg.custom_hooks = [
        hook
        for hook in cfg.custom_hooks
        if hook.type != 'PretrainVisualizationHook'
    ]
    cfg.experiment_name = f'{args.arm}-{args.seed}'
    start = time.time()
    runner = build_runner(cfg)
    torch.set_num_threads(args.threads)
    if not args.measure:
        runner.train()
    else:
        if args.measure == 'none':
            initialize_model(runner)
        else:
            runner.load_checkpoint(args.measure)
        runner.val_loop.run()
    model = runner.model.eval()
    line = dict(arm=args.arm, seed=args.seed, steps=runner.iter)
    line['seconds'] = round(time.time() - start)
    metrics = validation_metrics(runner)
    for key in (
        'motion/EPE_ratio',
        'content/kNN',
        'content/kNN_centred',
        'propagation/JF_mean',
    ):
        if key in metrics:
            line[key] = round(metrics[key], 4)
    with torch.no_grad():
        line.update(cell_figures(model), levels=level_figures(model))
        if 'motion' in model.heads:
            loader = cfg.train_dataloader.motion
            keys = ('size', 'crop_size', 'max_offset')
            as_trained = {
                key: loader.dataset[key]
                for key in keys
                if key in loader.dataset
            }
            line['flow'] = flow_figures(model, as_trained)
    return dict(line, options=args.cfg_options, **provenance())


def table(lines: list[dict]) -> str:
    """The trials, a row each, as Markdown."""
    from tabulate import tabulate

    def worst(line, key):
        return max(line['levels'][f'level{i}'][key] for i in (3, 4, 5))

    rows = []
    for line in lines:
        flow = line.get('flow')
        rows.append(
            {
                'arm': line['arm'],
                'seed': line['seed'],
                'steps': line['steps'],
                'EPE / zero': line.get('motion/EPE_ratio'),
                'exchanged': flow and flow['exchanged'] / flow['own'],
                'kNN': line.get('content/kNN'),
                'J&F': line.get('propagation/JF_mean'),
                'figure-ground': line.get('figure_ground'),
                'class': line.get('object_class'),
                'constant': worst(line, 'constant'),
                'position': worst(line, 'position'),
                'commit': line['commit'],
            }
        )
    formats = ['', '', '', *['.3f', '.2f', '.1f', '.1f', '.1f', '.1f']]
    return tabulate(
        rows,
        headers='keys',
        tablefmt='github',
        floatfmt=(*formats, '.2f', '.3f', ''),
        missingval='-',
    )


def main() -> None:
    """Train, measure, add a line; or print the lines."""
    args = parse_args()
    prefer_checkout()
    from _records import append_records, read_records

    if not args.table:
        import mcjepa_mm  # noqa: F401  (patches imports)

        append_records(args.out, [trial(args)])
    lines = read_records(args.out)
    print(table(lines if args.table else lines[-1:]))


if __name__ == '__main__':
    main()
