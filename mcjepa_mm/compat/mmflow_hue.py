"""A jitter of hue for mmflow that numpy 2 runs.

When it applies
    mmflow is installed beside a numpy without ``np.int`` (1.24 and later).
Why
    mmflow's ``ColorJitter``, which most of its training pipelines have, turns
    the hue by ``adjust_hue``, and that casts by ``np.int``: an AttributeError
    in the first sample whose hue is changed.
When it can go
    When mmflow casts by ``int``.
"""

from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING

from mcjepa_mm.utils.import_hook import on_import

if TYPE_CHECKING:
    import numpy as np


def needed() -> bool:
    """Whether mmflow is installed and numpy has no ``np.int``."""
    return find_spec('mmflow') is not None and _numpy_is_new()


def apply() -> None:
    """Replace the function when mmflow's transforms are imported."""
    on_import('mmflow.datasets.transforms.transforms', _replace)


def adjust_hue(img: 'np.ndarray', hue_factor: float | None) -> 'np.ndarray':
    """Turn the hue of an image.

    Args:
        img (np.ndarray): (H, W, 3) uint8, BGR.
        hue_factor (float, optional): Turns, -0.5 to 0.5; None changes
            nothing.

    Returns:
        np.ndarray: (H, W, 3) uint8, BGR.
    """
    if hue_factor is None:
        return img
    import mmcv

    hsv = mmcv.bgr2hsv(img)
    # OpenCV holds half degrees in a byte, 0 to 179.
    turned = hsv[..., 0].astype(int) + int(180 * hue_factor)
    hsv[..., 0] = turned % 180
    return mmcv.hsv2bgr(hsv)


def _replace(transforms: ModuleType) -> None:
    if _numpy_is_new():
        transforms.adjust_hue = adjust_hue


def _numpy_is_new() -> bool:
    import numpy as np

    return not hasattr(np, 'int')
