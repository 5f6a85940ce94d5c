"""Tables and plot of evidence.py: every seed, paired differences, verdicts."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from _real_table import Arms, arms_of
from _records import markdown, mixed_origins

FIGURES = {
    'epe_ratio': 'EPE / zero',
    'jf': 'J&F whitened',
    'object_class': 'class of cells',
    'figure_ground': 'figure-ground',
    'camouflaged': 'camouflaged',
    'knn': 'kNN centred',
    'cpu_minutes': 'CPU min',
}
ORIGIN = ('commit', 'processor', 'torch', 'scale', 'epochs', 'world')


@dataclass(frozen=True)
class Claim:
    """One arm against another in one figure.

    Attributes:
        figure (str): Key of a line.
        arm (str): The one that is to be better.
        other (str): What it is compared with.
        least (float): Smallest difference that matters.
        most (float, optional): In per cent of the other's, for a claim that
            the figure is not higher by more.
    """

    figure: str
    arm: str
    other: str
    least: float = 0.0
    most: float | None = None


# In the order in which they are tested.
STATEMENTS = {
    'content does not cost flow': [
        Claim('epe_ratio', 'joint', 'motion', most=3.0)
    ],
    'objects are followed better': [
        Claim('jf', 'joint', other, least=1.0)
        for other in ('motion', 'content', 'random', 'colors')
    ],
    'motion helps to recognise objects': [
        Claim('object_class', 'joint', 'content-long', least=1.0),
        Claim('figure_ground', 'joint', 'content-long', least=1.0),
    ],
    'it is the motion and not the dense matching': [
        Claim('jf', 'joint-dense-flow', 'joint-dense-stills', least=1.0)
    ],
}
CONTROLS = {
    'motion of a still': [
        Claim('jf', 'joint', 'joint-shifted-stills'),
        Claim('figure_ground', 'joint', 'joint-shifted-stills'),
    ],
    'flow of another sample': [
        Claim('jf', 'joint-dense-flow', 'joint-dense-shuffled')
    ],
    'dense matching alone': [
        Claim('jf', 'joint-dense-stills', 'dense-long'),
        Claim('object_class', 'joint-dense-stills', 'dense-long'),
    ],
    'L_vc': [
        Claim('jf', 'joint', 'joint-without-vc'),
        Claim('object_class', 'joint', 'joint-without-vc'),
    ],
    'one encoder against a frozen one': [
        Claim('epe_ratio', 'joint', 'motion-on-frozen-content', most=0.0)
    ],
    'both tasks in each step': [
        Claim('jf', 'joint', 'joint-alternate'),
        Claim('epe_ratio', 'joint', 'joint-alternate', most=0.0),
    ],
}


def check_lines(lines: Sequence[dict], stage: str) -> None:
    """Refuse lines of one stage that cannot be compared.

    Raises:
        ValueError: If they come from different worlds, commits, processors,
            versions of torch or lengths, or an arm and seed comes twice.
    """
    lines = [x for x in lines if x['stage'] == stage]
    for key, each in mixed_origins(lines, ORIGIN).items():
        raise ValueError(
            f'the lines of {stage} differ in {key}, so differences may be '
            f'its: {each}. Keep the lines of one in a file of its own.'
        )
    runs = [(x['arm'], x['seed']) for x in lines]
    if twice := {x for x in runs if runs.count(x) > 1}:
        raise ValueError(f'there are two lines of {sorted(twice)}')


def by_arm(lines: Sequence[dict], stage: str) -> Arms:
    """Lines of a stage by arm and seed."""
    return arms_of(x for x in lines if x['stage'] == stage)


def paired(arms: Arms, claim: Claim) -> tuple[list[int], np.ndarray]:
    """Seeds and differences of a claim, in per cent if it has a ``most``.

    Raises:
        ValueError: If an arm lacks a seed that the other one has. Ablations
            have fewer: the first arm may have more.
    """
    first, second = arms[claim.arm], arms[claim.other]
    if claim.other == 'colors':  # nothing in it is drawn
        second = dict.fromkeys(first, next(iter(second.values())))
    if missing := second.keys() - first.keys():
        raise ValueError(
            f'{claim.arm} lacks the seeds {sorted(missing)} of {claim.other}'
        )
    missing = first.keys() - second.keys()
    if missing and any(claim in x for x in STATEMENTS.values()):
        raise ValueError(
            f'{claim.other} lacks the seeds {sorted(missing)} of {claim.arm}'
        )
    a, b = (
        np.array([side[seed][claim.figure] for seed in second])
        for side in (first, second)
    )
    difference = 100 * (a / b - 1) if claim.most is not None else a - b
    return list(second), difference


def t_interval(x: np.ndarray) -> tuple[float, float]:
    """95 % interval of the mean by Student's t."""
    from scipy import stats

    if len(x) < 2:
        return -math.inf, math.inf
    half = stats.t.ppf(0.975, len(x) - 1) * x.std(ddof=1) / len(x) ** 0.5
    return x.mean() - half, x.mean() + half


def sign_flip_p(x: np.ndarray) -> float:
    """Exact two-sided p of the mean, over all signs of the differences."""
    signs = np.array(list(product((1, -1), repeat=len(x))))
    means = np.abs((signs * x).mean(1))
    return float((means >= abs(x.mean()) - 1e-12).mean())


def verdict(x: np.ndarray, claim: Claim) -> bool:
    """Whether the differences show the claim."""
    low, high = t_interval(x)
    if claim.most is not None:
        return high < claim.most
    return low > 0 and x.mean() >= claim.least


def claims_table(
    arms: Arms,
    groups: dict[str, list[Claim]],
    fixed_order: bool,
) -> str:
    """A row for each claim that has its arms."""
    rows, open_ = [], True
    for name, claims in groups.items():
        results = []
        for claim in claims:
            if not {claim.arm, claim.other} <= arms.keys():
                results.append(None)
                continue
            seeds, x = paired(arms, claim)
            low, high = t_interval(x)
            unit = ' %' if claim.most is not None else ''
            shown = verdict(x, claim)
            results.append(shown)
            wanted = (
                f'interval below + {claim.most:g} %'
                if claim.most is not None
                else f'interval above 0, mean {claim.least:g} or more'
            )
            rows.append(
                [
                    name,
                    f'{FIGURES[claim.figure]}: {claim.arm} - {claim.other}',
                    len(seeds),
                    f'{x.mean():+.2f}{unit}',
                    f'{low:+.2f} to {high:+.2f}',
                    f'{sign_flip_p(x):.3f}',
                    wanted,
                    ('shown' if shown else 'not shown')
                    if open_
                    else 'not tested: an earlier one failed',
                ]
            )
        if fixed_order and not all(results):
            open_ = False
    head = ['statement', 'difference', 'seeds', 'mean', '95 % interval']
    return markdown([*head, 'sign-flip p', 'wanted', 'verdict'], rows)


def arms_table(arms: Arms) -> str:
    """Mean of each figure of each arm, and every seed's."""
    rows = []
    for arm, seeds in arms.items():
        cells = [arm, ', '.join(map(str, seeds))]
        for key in FIGURES:
            values = [x[key] for x in seeds.values() if key in x]
            digits = 3 if key == 'epe_ratio' else 1
            each = ', '.join(f'{x:.{digits}f}' for x in values)
            cells.append(
                f'**{np.mean(values):.{digits}f}** ({each})' if values else '-'
            )
        rows.append(cells)
    return markdown(['arm', 'seeds', *FIGURES.values()], rows)


def score(line: dict) -> float:
    """What a setting is chosen by, of the figures that an arm has."""
    sum_ = sum(line.get(key, 0.0) for key in ('jf', 'object_class', 'knn'))
    return sum_ - 100 * line.get('epe_ratio', 0.0)


def choice(lines: Sequence[dict]) -> tuple[dict[str, int], dict[str, float]]:
    """Setting of each arm with the best mean score, and epochs.

    Returns:
        tuple: Number of the setting by arm; and the epochs of content and
        dense that take joint's CPU time, in epochs of joint.
    """
    arms = by_arm(lines, 'tune')
    chosen: dict[str, int] = {}
    means = {
        name: np.mean([score(x) for x in seeds.values()])
        for name, seeds in arms.items()
    }
    for name, value in means.items():
        arm, number = name.rsplit('.', 1)
        best = chosen.get(arm)
        if best is None or value > means[f'{arm}.{best}']:
            chosen[arm] = int(number)
    minutes = {
        arm: np.mean(
            [x['cpu_minutes'] for x in arms[f'{arm}.{number}'].values()]
        )
        for arm, number in chosen.items()
    }
    times = {
        arm: float(round(minutes['joint'] / minutes[arm], 2))
        for arm in ('content', 'dense')
        if {'joint', arm} <= minutes.keys()
    }
    return chosen, times


def report(lines: Sequence[dict]) -> str:
    """All of it, as Markdown."""
    parts = []
    for stage in dict.fromkeys(x['stage'] for x in lines):
        check_lines(lines, stage)
        arms = by_arm(lines, stage)
        parts += [f'### {stage}', arms_table(arms)]
        if stage == 'tune':
            chosen, times = choice(lines)
            parts.append(f'Chosen: {chosen}; at equal CPU time: {times}')
        else:
            parts += [
                claims_table(arms, STATEMENTS, True),
                claims_table(arms, CONTROLS, False),
            ]
    return '\n\n'.join(parts)


def plot(lines: Sequence[dict], path: str) -> None:
    """Every seed of every arm, seeds joined, a panel for each figure."""
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot as plt

    arms = by_arm(lines, 'main')
    names = list(FIGURES)[:4]
    figure, axes = plt.subplots(
        1, len(names), figsize=(13, 0.35 * len(arms) + 1.5), sharey=True
    )
    for axis, key in zip(axes, names):
        for row, seeds in enumerate(arms.values()):
            values = [x[key] for x in seeds.values() if key in x]
            rows = [row] * len(values)
            axis.plot(values, rows, 'o', color='tab:blue', ms=4, alpha=0.5)
            if values:
                axis.plot(np.mean(values), row, 'k|', ms=14)
        axis.set_title(FIGURES[key], fontsize=10)
        axis.grid(axis='x', alpha=0.3)
    axes[0].set_yticks(range(len(arms)), list(arms), fontsize=9)
    axes[0].invert_yaxis()
    figure.tight_layout()
    figure.savefig(path, dpi=110)
