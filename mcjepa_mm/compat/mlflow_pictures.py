"""Pictures for MLflow under names that it takes.

When it applies
    mlflow is installed.
Why
    mmengine's ``MLflowVisBackend`` passes the name of a picture on as it is,
    such as 'pretraining'. MLflow takes it for a file's, whose suffix tells
    the format: the run ends with "unknown file extension" at its first
    picture. With a suffix each picture would replace the one before.
When it can go
    When mmengine adds the step and a suffix, as its ``LocalVisBackend`` does.
"""

from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from mmengine.visualization import MLflowVisBackend


def needed() -> bool:
    """Whether mlflow is installed."""
    return find_spec('mlflow') is not None


def apply() -> None:
    """Let the backend name pictures by their step, with '.png'."""
    if needed():
        from mmengine.visualization import MLflowVisBackend

        MLflowVisBackend.add_image = _add_image


def _add_image(
    self: 'MLflowVisBackend',
    name: str,
    image: 'np.ndarray',
    step: int = 0,
    **_,
) -> None:
    self.experiment.log_image(image, f'{name}_{step}.png')
