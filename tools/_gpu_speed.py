"""What gpu_check measures: parts of the training, and the loading."""

import os
import statistics
from collections.abc import Callable, Iterator
from functools import partial
from math import ceil, prod

import torch
from _gpu_checks import mmcv_correlation
from benchmarks import content_views, cost_volume, encoder, frame_pairs, vicreg
from benchmarks._case import Work
from benchmarks._measure import matrix_rate, seconds, synchronizer
from benchmarks.options import STEPS, VARIANTS, make
from torch.utils.flop_counter import FlopCounterMode

from mcjepa_mm.compat import mmcv_ext

JOB = 'mcjepa_convnext.py'
RECIPE = 'pretrain/mcjepa_convnext-tiny_8xb48-coslr-100e_in1k-frames.py'
DTYPES = dict(float32=torch.float32, bfloat16=torch.bfloat16)
TARGET = 0.4  # of the matrix rate, for the step of the recipe in bfloat16
FRAMES = 48  # of the video that pairs are read from


def _convolution_backward(grad, x, weight, *args, **kwargs) -> int:
    """Operations of the gradients that are asked for, from shapes."""
    return 2 * prod(grad) * prod(weight[1:]) * sum(args[-1][:2])


def _addmm_(total, a, b, **kwargs) -> int:
    return 2 * prod(a) * b[-1]


# torch's own count of grouped convolutions' gradients is wrong (2.13), and it
# leaves out products that are added in place. The cost volume's are not
# counted: more than half are of no use.
COUNTS = {
    torch.ops.aten.convolution_backward: _convolution_backward,
    torch.ops.aten.addmm_: _addmm_,
}


def operations(work: Work) -> int:
    """Floating-point operations of convolutions and products, counted."""
    with FlopCounterMode(display=False, custom_mapping=COUNTS) as counter:
        work()
    return counter.get_total_flops()


def recipe_shapes(device: str) -> dict[str, tuple[int, ...]]:
    """Views of a step of the recipe: of one GPU, or few for a CPU."""
    images = 48 if _is_gpu(device) else 2
    return dict(content=(images, 2, 3, 224, 224), motion=(1, 2, 3, 256, 512))


def works(device: str) -> Iterator[tuple[str, str, Callable, int | None]]:
    """Parts: name, shape, what builds the work in a dtype, operations."""
    images, size = 64 if _is_gpu(device) else 2, encoder.SIZE
    build = encoder.make(
        'mcjepa', device, images, layer_scale=False, channels_last=True
    )
    parts = [
        (
            'encoder, ConvNeXt-T',
            f'({images}, 3, {size}, {size})',
            build,
            encoder.operations(images),
        )
    ]
    case = cost_volume.cases(device)[0]
    volumes = {'cost volume': (cost_volume.ours, torch.channels_last)}
    if not mmcv_ext.needed():
        plain = torch.contiguous_format
        volumes["mmcv's correlation"] = mmcv_correlation, plain
    for name, (function, layout) in volumes.items():
        build = cost_volume.make(function, cost_volume.LEVELS, device, layout)
        parts.append((name, case.shape, build, case.flops))
    n, dims = vicreg.VIEWS[1 if _is_gpu(device) else 0]
    build = vicreg.side(_vicreg, n, dims, device)
    needed = 8 * n * dims * min(n, dims)
    parts.append(('VICReg', f'({n}, {dims})', build, needed))
    for name, shape, build, needed in parts:
        yield name, shape, partial(_autocast, build, device), needed
    for name, config, shapes in (
        ('step, default job', JOB, STEPS[JOB]),
        ('step, ConvNeXt-T', RECIPE, recipe_shapes(device)),
    ):
        build = partial(_step, config, shapes, device)
        yield name, _said(shapes), build, None


def _said(shapes: dict[str, tuple[int, ...]]) -> str:
    return ' + '.join(
        f'{n} x {views} of {height} x {width}'
        for n, views, _, height, width in shapes.values()
    )


def _vicreg() -> Callable:
    from mcjepa_mm.models.losses import VICRegLoss

    loss = VICRegLoss()
    return lambda z1, z2: sum(loss(z1, z2).values())


def _step(config: str, shapes: dict, device: str, dtype: str) -> Work:
    options = VARIANTS['bfloat16'] if dtype == 'bfloat16' else {}
    return make(config, shapes, options, device)()


def _autocast(build: Callable, device: str, dtype: str) -> Work:
    work = build()

    def cast() -> object:
        with torch.autocast(
            torch.device(device).type, DTYPES[dtype], dtype != 'float32'
        ):
            return work()

    return cast


def rows(device: str) -> Iterator[dict]:
    """Time, rate and memory of each part, as they come; the step is last.

    ``share`` is that of the rate of matrix products in the same dtype.
    """
    rates = {x: matrix_rate(device, kind) for x, kind in DTYPES.items()}
    for dtype, rate in rates.items():
        yield _row('matrix product', '', dtype, None, rate, 1.0, None)
    for part, shape, build, needed in works(device):
        for dtype, rate in rates.items():
            if part == 'VICReg' and dtype != 'float32':
                continue  # it computes in float32 in any case
            taken, flops, memory = _measure(build, dtype, needed, device)
            share = flops / taken / rate
            yield _row(part, shape, dtype, taken, share * rate, share, memory)


def _measure(
    build: Callable, dtype: str, needed: int | None, device: str
) -> tuple[float, int, int | None]:
    """Seconds, operations and, on a GPU, bytes of a work, which ends here."""
    runs = 1
    if _is_gpu(device):
        runs = 10
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    work = build(dtype)
    # the first run warms up
    if needed is None:
        needed = operations(work)
    else:
        work()
    taken = [seconds(work, synchronizer(device)) for _ in range(runs)]
    memory = None
    if _is_gpu(device):
        memory = torch.cuda.max_memory_allocated(device)
    return statistics.median(taken), needed, memory


def _row(part, shape, dtype, taken, rate, share, memory) -> dict:
    return {
        'part': part,
        'shape': shape,
        'dtype': dtype,
        'ms': taken and 1e3 * taken,
        'TFLOP/s': rate / 1e12,
        'share': share,
        'GiB': memory and memory / 2**30,
    }


def loading() -> dict[str, float]:
    """Seconds in which a core loads a sample: two views, or a frame pair."""
    clip = frame_pairs.make(frame_pairs.ours, '.mp4', FRAMES, frame_pairs.SIZE)
    views = content_views.make(
        content_views.ours, content_views.SAMPLES, content_views.SIZE
    )
    found = {}
    for task, build, samples in (
        ('content', views, content_views.SAMPLES),
        ('motion', clip, frame_pairs.PAIRS),
    ):
        work = build()
        work()
        found[task] = seconds(work, lambda: None) / samples
    return found


def demand(device: str, step: float) -> dict[str, float]:
    """What a step of the recipe of so many seconds eats, and the cores load.

    Returns:
        dict: ``views`` and ``pairs`` a second that the step eats, those that
        a core loads, ``cores`` that it takes, and ``available`` ones for each
        device.
    """
    taken, shapes = loading(), recipe_shapes(device)
    devices = torch.cuda.device_count() if _is_gpu(device) else 1
    needed = sum(x * shapes[task][0] for task, x in taken.items()) / step
    return dict(
        views=2 * shapes['content'][0] / step,
        pairs=shapes['motion'][0] / step,
        views_of_a_core=2 / taken['content'],
        pairs_of_a_core=1 / taken['motion'],
        cores=ceil(needed),
        available=len(os.sched_getaffinity(0)) // devices,
    )


def judge(step: dict, loading: dict, device: str) -> list[dict]:
    """What is expected of the step's row, and of the cores, and whether."""

    def verdict(expected: str, found: str, reached: bool) -> dict:
        answer = 'yes' if reached else 'no'
        return dict(
            expected=expected,
            found=found,
            reached=answer if _is_gpu(device) else 'not judged',
        )

    keeps_up = loading['cores'] <= loading['available']
    return [
        verdict(
            f'{step["part"]} in bfloat16 at {TARGET:.0%} of the matrix rate',
            f'{step["share"]:.1%}',
            step['share'] >= TARGET,
        ),
        verdict(
            'the loader keeps up with that step',
            'it eats {views:.3g} views and {pairs:.3g} pairs a second, a core '
            'loads {views_of_a_core:.3g} or {pairs_of_a_core:.3g}: {cores} of '
            '{available} cores, '.format(**loading)
            + f'the {"GPU" if not keeps_up else "loader"} waits',
            keeps_up,
        ),
    ]


def _is_gpu(device: str) -> bool:
    return torch.device(device).type == 'cuda'
