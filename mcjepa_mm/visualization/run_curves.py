"""Curves of several runs."""

from collections.abc import Mapping

import numpy as np

from .panels import finish_panels, make_panels


def draw_run_curves(
    panels: Mapping[str, Mapping[str, Mapping[int, float]]],
) -> np.ndarray:
    """Draw a panel for each figure, with a line for each run.

    Args:
        panels (Mapping): By the figure's name, and the run's, the value by
            training step. A run has one colour in all panels.

    Returns:
        np.ndarray: (H, W, 3) uint8, RGB.

    Raises:
        ValueError: If there are no panels.
    """
    figure, axes = make_panels([*panels], columns=4)
    names = dict.fromkeys(name for runs in panels.values() for name in runs)
    colors = {name: f'C{i}' for i, name in enumerate(names)}
    for axis, runs in zip(axes, panels.values()):
        for name, curve in runs.items():
            steps = sorted(curve)
            values = [curve[step] for step in steps]
            axis.plot(
                *(steps, values),
                marker='.',
                linewidth=1,
                color=colors[name],
                label=name,
            )
        axis.tick_params(labelsize='small')
        axis.grid(alpha=0.3)
    return finish_panels(figure, axes)
