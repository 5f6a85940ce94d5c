"""Measure what each optional ingredient of the flow brings.

Trains a config of the motion task once for each ingredient and seed, each time
with that ingredient alone added, and prints a table. Runs that are finished
are not repeated, so the work can be split over processes by ``--only`` and
``--seeds`` that share ``--out``.
"""

import argparse
import json
import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from _command_line import prefer_checkout, run
from _records import markdown

CONFIG = 'configs/pretrain/mjepa_convnext-micro_1xb4_embedded.py'
HEAD = 'model.heads.motion'
# Half of the training is the recipe's without the ingredient, then a ramp.
RAMP = dict(type='ScheduleHook', begin=2.5, length=0.5)
INGREDIENTS = {
    'none': {},
    'census': {f'{HEAD}.losses.rec.census': 0.1},
    'normalised features': {f'{HEAD}.decoder.normalize': True},
    'level dropout': {f'{HEAD}.decoder.level_dropout': 0.1},
    'self-supervision': {
        f'{HEAD}.losses.student': dict(
            type='SelfSupervisionLoss', border=16, loss_weight=0.05
        ),
        'hook': dict(RAMP, target='heads.motion.losses.student.loss_weight'),
    },
}


def train(name: str, seed: int, work_dir: Path) -> dict[str, float]:
    """Train once and return the last validation's figures."""
    from mcjepa_mm.engine.launch import build_runner, load_config

    cfg = load_config(CONFIG, work_dir=str(work_dir))
    changes = dict(INGREDIENTS[name])
    if hook := changes.pop('hook', None):
        cfg.custom_hooks.append(hook)
    cfg.merge_from_dict(changes)
    cfg.randomness = dict(seed=seed)
    cfg.log_level = 'WARNING'
    cfg.vis_backends = cfg.visualizer.vis_backends = []
    cfg.experiment_name = f'{name}-{seed}'
    runner = build_runner(cfg)
    runner.train()
    return {
        key.removeprefix('val/motion/'): value.current()
        for key, value in runner.message_hub.log_scalars.items()
        if key.startswith('val/motion/EPE')
    }


def table(results: dict[str, list[dict[str, float]]]) -> str:
    """Mean and range over the seeds, as Markdown."""
    head = ['ingredient', 'EPE / zero flow', 'per seed']
    head += ['EPE visible (px)', 'EPE occluded (px)']
    rows = []
    for name, runs in results.items():
        ratios = [run['EPE_ratio'] for run in runs]
        rows.append(
            [
                name,
                f'{statistics.mean(ratios):.3f}',
                ', '.join(f'{ratio:.3f}' for ratio in ratios),
                f'{statistics.mean(run["EPE_visible"] for run in runs):.3f}',
                f'{statistics.mean(run["EPE_occluded"] for run in runs):.3f}',
            ]
        )
    return markdown(head, rows)


def main() -> None:
    """Run what is missing, print the table of what is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', default='work_dirs/flow_ingredients')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    parser.add_argument('--only', nargs='+', choices=list(INGREDIENTS))
    args = parser.parse_args()
    prefer_checkout()
    from mcjepa_mm.utils.atomic_write import atomic_write

    results = {}
    for seed in args.seeds:
        for name in args.only or INGREDIENTS:
            work_dir = Path(args.out) / name.replace(' ', '-') / str(seed)
            done = work_dir / 'metrics.json'
            if not done.is_file():
                metrics = train(name, seed, work_dir)
                atomic_write(done, json.dumps(metrics).encode())
            results.setdefault(name, []).append(json.loads(done.read_text()))
            print(name, seed, results[name][-1], flush=True)
    print(f'\n{table(results)}')


if __name__ == '__main__':
    run(main)
