"""Bar charts of per-level figures."""

from collections.abc import Mapping, Sequence

import numpy as np

from .panels import finish_panels, make_panels

_COLORS = ('tab:blue', 'tab:gray')


def draw_level_bars(
    panels: Mapping[str, Mapping[str, Sequence[float | None]]],
    levels: Sequence[str],
    *,
    limits: Mapping[str, float] | None = None,
    heading: str = '',
    columns: int = 3,
) -> np.ndarray:
    """Draw shares as an RGB image: a panel per figure, bars per level.

    Args:
        panels (Mapping): By the panel's title, the values of every encoder
            by its name, one for each level, 0 to 1; None is no bar. At most
            two encoders.
        levels (Sequence[str]): What is written under each group.
        limits (Mapping, optional): By the panel's title, a line that values
            are to be compared with.
        heading (str): A line over everything.
        columns (int): Panels beside each other. Defaults to 3.
    """
    figure, axes = make_panels([*panels], columns=columns, heading=heading)
    places = np.arange(len(levels))
    for axis, (title, series) in zip(axes, panels.items()):
        width = 0.8 / len(series)
        for i, (name, values) in enumerate(series.items()):
            if len(values) != len(levels):
                raise ValueError(
                    f'expected {len(levels)} values of {name!r} in {title!r}, '
                    f'one for each level, got {len(values)}'
                )
            heights = [np.nan if x is None else x for x in values]
            offset = (i - (len(series) - 1) / 2) * width
            axis.bar(
                places + offset, heights, width, color=_COLORS[i], label=name
            )
        if limits and title in limits:
            axis.axhline(
                limits[title], color='tab:red', linestyle='--', label='limit'
            )
        axis.set_xticks(places, levels, fontsize='small')
        axis.set_xlim(-0.5, len(levels) - 0.5)
        axis.set_ylim(0, 1)
        axis.grid(axis='y', alpha=0.3)
    return finish_panels(figure, axes)
