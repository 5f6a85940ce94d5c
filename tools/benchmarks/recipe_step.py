"""The step of ConvNeXt-T, in seconds of CPU of one process on a CPU.

8 images x 2 views of 224 px and 2 pairs of 256 x 512, optimiser included. Its
rate of operations is what scale_plan takes this machine for.
"""

from benchmarks._case import Case
from benchmarks.options import STEPS, make


def cases(device: str) -> list[Case]:
    """One step."""
    path, shapes = list(STEPS.items())[1]
    return [
        Case(
            shape='8 x 2 views, 2 pairs',
            sides={'ours': make(path, shapes, {}, device)},
            tolerance=None,
            is_cpu_time=device == 'cpu',
        )
    ]
