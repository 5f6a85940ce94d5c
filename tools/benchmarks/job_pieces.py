"""What a training's time is made of: its step, and the loading of its data.

The default job's step and samples, and samples of pairs that are cut from
scenes of 1440 px in place of 144, in seconds of CPU of one process, which
another one's load changes little. scale_plan reads them.
"""

from collections.abc import Callable
from functools import partial

from benchmarks._case import Case, Work
from benchmarks._loading import as_worker
from benchmarks.options import CONFIGS, STEPS, make

IMAGES, PAIRS, LARGE_PAIRS = 64, 32, 12
LARGE = 1440  # side of the scenes that are slow to draw


def load(task: str, count: int, **settings: object) -> Callable[[], Work]:
    """A side: samples of a task of the default job, each for the first time.

    The second pass over images finds them drawn, so every run has others.
    """

    def build() -> Work:
        from mmengine.config import Config

        import mcjepa_mm.datasets  # noqa: F401  (registers them)
        from mcjepa_mm.registry import DATASETS

        cfg = Config.fromfile(CONFIGS / 'mcjepa_convnext.py')
        data = cfg.train_dataloader[task].dataset
        data.update(settings)
        dataset = DATASETS.build(data)
        numbers = iter(range(len(dataset)))
        return as_worker(lambda _: dataset[next(numbers)], range(count))

    return build


def cases(device: str) -> list[Case]:
    """The step on the device, the data on the CPU."""
    case = partial(Case, tolerance=None, is_cpu_time=True)
    path, shapes = next(iter(STEPS.items()))
    large = dict(size=(LARGE, LARGE))
    return [
        case('step', {'ours': make(path, shapes, {}, device)}),
        case('image', {'ours': load('content', IMAGES)}, samples=IMAGES),
        case('pair', {'ours': load('motion', PAIRS)}, samples=PAIRS),
        case(
            f'pair of {LARGE} px',
            {'ours': load('motion', LARGE_PAIRS, **large)},
            samples=LARGE_PAIRS,
        ),
    ]
