"""Charts beside each other with one legend, as an RGB image."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def make_panels(
    titles: Sequence[str], *, columns: int, heading: str = ''
) -> tuple['Figure', list['Axes']]:
    """A figure and an axis for each title, in rows.

    Raises:
        ValueError: If there are no titles.
    """
    # slow to import
    from matplotlib.figure import Figure

    if not titles:
        raise ValueError('expected at least one panel to draw, got none')
    columns = min(columns, len(titles))
    rows = -(-len(titles) // columns)
    figure = Figure(
        figsize=(3.6 * columns, 0.6 + 2.6 * rows), dpi=100, layout='compressed'
    )
    figure.suptitle(heading, fontsize='medium')
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, title in zip(axes, titles):
        axis.set_title(title, fontsize='medium')
    for axis in axes[len(titles) :]:
        axis.set_axis_off()
    return figure, list(axes[: len(titles)])


def finish_panels(figure: 'Figure', axes: Sequence['Axes']) -> np.ndarray:
    """Add the legend of all labels, and draw: (H, W, 3) uint8, RGB."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    handles: dict[str, Any] = {}
    for axis in axes:
        for handle, label in zip(*axis.get_legend_handles_labels()):
            handles.setdefault(label, handle)
    figure.legend(
        [*handles.values()],
        [*handles],
        loc='outside lower center',
        ncols=3,
    )
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
