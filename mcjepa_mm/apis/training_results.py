"""What a pretraining has come to: its figures as a table, its pictures."""

from collections.abc import Mapping
from pathlib import Path

from mmengine.runner import Runner

# What the table calls a metric, in the order of its rows.
ROWS = {
    'motion/EPE': 'flow EPE (px)',
    'motion/EPE_zero': 'EPE of the zero flow (px)',
    'motion/EPE_ratio': 'flow EPE / zero flow',
    'motion/EPE_visible': 'flow EPE, visible pixels (px)',
    'motion/EPE_occluded': 'flow EPE, occluded pixels (px)',
    'content/std': 'embedding std (expander)',
    'content/RankMe': 'embedding rank (RankMe, centred)',
    'content/constant': 'constant share of the encoder embedding',
    'content/kNN': 'kNN accuracy (%)',
    'content/kNN_centred': 'kNN accuracy, centred (%)',
    'propagation/JF_mean': 'label propagation, J&F (%)',
    'propagation/J_mean': 'label propagation, J (%)',
    'propagation/F_mean': 'label propagation, F (%)',
}
# In metrics.json alone.
DETAILS = {
    f'propagation/{letter}_{name}'
    for letter in 'JF'
    for name in ('recall', 'decay')
}


def metric_table(columns: Mapping[str, Mapping[str, float]]) -> str:
    """Lay metrics out as Markdown, a row each, a column per model.

    Args:
        columns (Mapping): Metrics by name, as validations and tests give
            them, by what stands over their column.
    """
    from tabulate import tabulate

    found = dict.fromkeys(x for metrics in columns.values() for x in metrics)
    names = [x for x in ROWS if x in found]
    names += [x for x in found if x not in ROWS and x not in DETAILS]
    rows = [
        [ROWS.get(name, name), *(x.get(name) for x in columns.values())]
        for name in names
    ]
    return tabulate(
        rows, ['', *columns], tablefmt='github', floatfmt='.3f', missingval='-'
    )


def validation_metrics(runner: Runner) -> dict[str, float]:
    """The last validation's metrics by name, empty without one."""
    return {
        name.removeprefix('val/'): float(values.current())
        for name, values in runner.message_hub.log_scalars.items()
        if name.startswith('val/') and name.count('/') > 1
    }


def training_pictures(work_dir: Path) -> list[Path]:
    """Pictures of the last training that drew any, in order."""
    runs = sorted(
        {
            path.parent
            for path in work_dir.glob('*/vis_data/vis_image/pretraining_*.png')
        }
    )
    if not runs:
        return []
    return sorted(
        runs[-1].glob('pretraining_*.png'),
        key=lambda path: int(path.stem.rsplit('_', 1)[1]),
    )
