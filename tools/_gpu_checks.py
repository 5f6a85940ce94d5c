"""What gpu_check compares: a device with float64 on the CPU.

A check is a function of a device. It raises an ``AssertionError`` that says
what differs, or ``LeftOutError`` where it cannot be done there, and may
return a line on a part that it left out.
"""

import copy
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache, partial
from statistics import mean

import torch
import torch.distributed as dist
from benchmarks._step import training_step
from benchmarks.options import COMPILED, CONFIGS, VARIANTS
from mmengine.config import Config
from mmengine.dataset import default_collate
from mmengine.registry import init_default_scope
from mmengine.structures import BaseDataElement, PixelData
from torch import Tensor, nn, rand, randn

from mcjepa_mm import compat
from mcjepa_mm.compat import mmcv_ext
from mcjepa_mm.models import flow, losses
from mcjepa_mm.models.backbones import cpu_ops
from mcjepa_mm.models.heads import PropagationHead
from mcjepa_mm.models.heads.dense_vicreg_head import DenseVICReg, Windows
from mcjepa_mm.models.knn import knn_votes
from mcjepa_mm.models.propagation.affinity import propagate_labels
from mcjepa_mm.registry import DATASETS, MODELS
from mcjepa_mm.utils.random_state import preserved_random_state, seed_sample

JOB = CONFIGS / 'mcjepa_convnext.py'
STEPS = 8
TOLERANCE = 1e-3  # of float32, relative to the norm
# Its gradient jumps where a target crosses a pixel or an error its zero.
LOOSER = {'motion head': 2e-2}
# Options of the default job that draw nothing on the device, whose random
# numbers are others than the CPU's.
STEADY = dict(
    heads=dict(
        motion=dict(
            occlusion_weight=0.0, losses=dict(vc=dict(max_samples=2**40))
        )
    )
)
BATCH = dict(content=8, motion=2)


class LeftOutError(Exception):
    """A check that cannot be done here; says why."""


def shifts(*shape: int) -> Tensor:
    """A flow whose targets lie between pixels, where its gradient is smooth.

    In eighths of a pixel it is exact in float32.
    """
    return (16 * randn(shape)).round() / 8 + 1 / 16


def unit(*shape: int) -> Tensor:
    """Vectors of length 1 along the last dimension."""
    return nn.functional.normalize(randn(shape), dim=-1)


def smooth(*shape: int) -> Tensor:
    """Images as smooth as blurred photographs: (N, C, H, W)."""
    n, c, h, w = shape
    coarse = randn(n, c, h // 8, w // 8)
    return nn.functional.interpolate(coarse, (h, w), mode='bicubic')


class TaskLoss(nn.Module):
    """The terms of a task of the default job, or of a head in its place."""

    def __init__(self, task: str, head: dict | None = None) -> None:
        super().__init__()
        init_default_scope('mcjepa_mm')
        job = Config.fromfile(JOB)
        job.merge_from_dict(dict(model=STEADY))
        job.model.heads = {task: head or job.model.heads[task]}
        self.task = task
        self.model = MODELS.build(job.model)
        head = self.model.heads[task]
        if hasattr(head, 'decoder'):  # flows between the pixels, see shifts
            for estimator in head.decoder.estimators.values():
                nn.init.constant_(estimator.predict.bias, 0.02)
        # no part of its head, which would not convert it
        self.teacher = getattr(head, 'teacher', None)

    def forward(self, views: Tensor) -> dict[str, Tensor]:
        """Terms of the views (N, V, 3, H, W)."""
        return self.model.loss({self.task: views})


class SteadyDraws(nn.Module):
    """DenseVICReg with places that are drawn on the CPU, for any device."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = DenseVICReg((4,) * 6, color=0.0)
        self.encoder = nn.Conv2d(3, 4, 3, stride=4)
        self.dense.draw_windows = self._drawn(self.dense.draw_windows)
        self.dense.draw_points = self._drawn(self.dense.draw_points)

    @staticmethod
    def _drawn(draw: Callable) -> Callable:
        def on_cpu(first: Tensor, *others) -> list:
            draw(first, *others)  # as the device does it
            torch.manual_seed(0)
            found = draw(*_moved((first, *others), 'cpu', torch.float32))
            return _moved(found, first.device, first.dtype)

        return on_cpu

    def forward(self, frames: Tensor, others: Tensor, motion: Tensor) -> list:
        """Terms of two frames (N, 3, H, W) and the flow between them."""

        def encode(views: Tensor) -> list[Tensor]:
            return [self.encoder(views.flatten(0, 1))] * 6

        shown = torch.ones_like(motion[:, :1])
        terms = self.dense(frames, others, motion, shown, encode)
        return [*terms.values()]


class Clip(nn.Module):
    """Masks of a clip by PropagationHead, whitened by its first frame."""

    def forward(self, feats: Tensor) -> list[Tensor]:
        """Masks (H, W) of all frames, from features (T, C, H/8, W/8)."""
        head = PropagationHead(whiten='first_frame')
        t, _, h, w = feats.shape
        masks = torch.zeros(t, 8 * h, 8 * w, dtype=torch.uint8)
        masks[:, 16:64, 24:56], masks[:, 32:80, 72:112] = 1, 2
        sample = BaseDataElement(
            metainfo=dict(sequence='clip'), gt_objects=PixelData(data=masks)
        )
        views = feats.new_zeros(1, t, 3, 8 * h, 8 * w)
        return [
            x.pred_objects.data.double()
            for x in head.predict((feats,), views, [sample])
        ]


def mmcv_correlation(feat1: Tensor, feat2: Tensor, radius: int = 4) -> Tensor:
    """The operator of mmcv, in the form of our cost volume."""
    from mmcv.ops import Correlation

    volume = Correlation(max_displacement=radius)(
        feat1.contiguous(), feat2.contiguous()
    )
    return volume.flatten(1, 2) / feat1.shape[1]


def _labels(labels: Tensor, query: Tensor, *keys: Tensor) -> Tensor:
    return propagate_labels(query, keys, labels.to(query.device), radius=4)


# What is compared: a function or module, and its inputs on the CPU.
OPERATORS: dict[str, Callable[[], tuple[Callable, list[Tensor]]]] = {
    'cost volume': lambda: (flow.cost_volume, [*randn(2, 2, 40, 20, 37)]),
    'warp': lambda: (flow.warp, [randn(2, 8, 20, 37), shifts(2, 2, 20, 37)]),
    'flow propagation': lambda: (
        partial(flow.propagate_flow, offsets=(4, 2)),
        [shifts(2, 2, 20, 37), *randn(2, 2, 8, 20, 37)],
    ),
    'forward-backward visibility': lambda: (
        flow.forward_backward_visibility,
        [(x := shifts(2, 2, 20, 37)), shifts(2, 2, 20, 37) / 8 - x],
    ),
    'range map visibility': lambda: (
        flow.range_map_visibility,
        [shifts(2, 2, 20, 37)],
    ),
    'pointwise MLP': lambda: (
        cpu_ops.pointwise_mlp,
        [randn(x) for x in ((300, 32), (96, 32), (96,), (32, 96), (32,))],
    ),
    'depthwise convolution': lambda: (
        cpu_ops.DepthwiseConv(32, kernel_size=7),
        [randn(2, 32, 20, 37)],
    ),
    'VICReg, few samples': lambda: (losses.VICRegLoss(), [*randn(2, 48, 96)]),
    'VICReg, few dimensions': lambda: (
        losses.VICRegLoss(),
        [*randn(2, 96, 48)],
    ),
    'photometric loss': lambda: (
        partial(losses.photometric_loss, census=1.0),
        [*rand(2, 2, 3, 24, 40), rand(2, 1, 24, 40)],
    ),
    'smoothness loss': lambda: (
        losses.smoothness_loss,
        [randn(2, 2, 24, 40), rand(2, 3, 24, 40)],
    ),
    'feature distance': lambda: (
        losses.feature_distance,
        [*randn(2, 2, 16, 20, 37), rand(2, 1, 20, 37)],
    ),
    'flow distance': lambda: (
        losses.flow_distance,
        [*randn(2, 2, 2, 20, 37), rand(2, 1, 20, 37)],
    ),
    'kNN votes': lambda: (
        partial(_votes, torch.arange(200) % 7),
        [unit(30, 32), unit(200, 32)],
    ),
    'label propagation': lambda: (
        partial(_labels, rand(3, 20, 30, 4)),
        [*unit(4, 20, 30, 32)],
    ),
    'encoder': lambda: (MODELS.build(_encoder()), [randn(2, 3, 64, 64)]),
    'content head': lambda: (TaskLoss('content'), [randn(8, 2, 3, 64, 64)]),
    'motion head': lambda: (
        TaskLoss('motion'),
        [smooth(4, 3, 128, 128).unflatten(0, (2, 2))],
    ),
    'distillation head': lambda: (
        TaskLoss('own', dict(type='DistillationHead', teacher=_encoder())),
        [randn(2, 2, 3, 64, 64)],
    ),
    'dense head': lambda: (
        SteadyDraws(),
        [*smooth(8, 3, 96, 128).split(4), shifts(4, 2, 96, 128)],
    ),
    'propagation head': lambda: (Clip(), [smooth(4, 32, 12, 16)]),
}


def _encoder() -> dict:
    init_default_scope('mcjepa_mm')
    return Config.fromfile(JOB).model.backbone


def _votes(labels: Tensor, queries: Tensor, bank: Tensor) -> Tensor:
    return knn_votes(queries, bank, labels.to(bank.device), num_classes=7)


def _moved(tensors: Iterable, device, dtype) -> list:
    """Tensors, and those within lists and windows, on a device."""
    found = []
    for x in tensors:
        if isinstance(x, Tensor):
            found.append(x.detach().to(device, dtype))
        else:
            inner = _moved(x, device, dtype)
            found.append(Windows(*inner) if isinstance(x, Windows) else inner)
    return found


def outcome(
    function: Callable, inputs: list[Tensor], device: str, dtype: torch.dtype
) -> tuple[list[Tensor], list[Tensor]]:
    """Values of a function, and gradients of its inputs and weights.

    A module is moved. The gradient is that of the values' product with fixed
    random numbers. All is returned in float64 on the CPU.
    """
    weights = []
    if isinstance(function, nn.Module):
        function = copy.deepcopy(function).to(device, dtype)
        weights = [x for x in function.parameters() if x.requires_grad]
    inputs = [x.requires_grad_() for x in _moved(inputs, device, dtype)]
    values = function(*inputs)
    if isinstance(values, dict):
        values = values.values()
    values = [values] if isinstance(values, Tensor) else [*values]
    generator = torch.Generator().manual_seed(0)
    total = [
        (x * randn(x.shape, generator=generator).to(x)).sum()
        for x in values
        if x.requires_grad
    ]
    grads = []
    if total:
        grads = torch.autograd.grad(
            sum(total), [*inputs, *weights], allow_unused=True
        )
    grads = [x for x in grads if x is not None]
    return tuple(_moved(x, 'cpu', torch.float64) for x in (values, grads))


def compare(
    function: Callable,
    other: Callable,
    inputs: list[Tensor],
    device: str,
    tolerance: float = TOLERANCE,
) -> None:
    """Float32 of a function on a device against float64 of other on a CPU.

    Raises:
        AssertionError: If a value or a gradient differs by more than
            ``tolerance`` of its norm. Of gradients a hundredth of the norm of
            all is added to that: some are 0 but for rounding.
    """
    expected = outcome(other, inputs, 'cpu', torch.float64)
    found = outcome(function, inputs, device, torch.float32)
    for kind, all_a, all_b in zip(('value', 'gradient'), found, expected):
        assert len(all_a) == len(all_b), (
            f'{len(all_b)} {kind}s expected, got {len(all_a)}'
        )
        whole = sum(x.square().sum() for x in all_b) ** 0.5
        for i, (a, b) in enumerate(zip(all_a, all_b)):
            allowed = tolerance * float(b.norm() + 0.01 * whole)
            error = float((a - b).norm())
            assert error <= allowed, (
                f'{kind} {i} of shape {tuple(b.shape)} differs by {error:.2g} '
                f'of a norm of {float(b.norm()):.3g}, {allowed:.2g} is allowed'
            )


def check_operator(name: str, device: str) -> None:
    """One of ``OPERATORS``, on the device and on the CPU."""
    torch.manual_seed(0)
    function, inputs = OPERATORS[name]()
    with exact():
        tolerance = LOOSER.get(name, TOLERANCE)
        compare(function, function, inputs, device, tolerance)


def check_mmcv(device: str) -> None:
    """Our cost volume against mmcv's compiled operator."""
    if mmcv_ext.needed():
        raise LeftOutError('mmcv has no compiled operators here (mmcv-lite)')
    torch.manual_seed(0)
    inputs = [*randn(2, 2, 40, 20, 37)]
    with exact():
        compare(mmcv_correlation, flow.cost_volume, inputs, device)


@contextmanager
def exact() -> Iterator[None]:
    """Convolutions of float32 in float32, not in a GPU's TF32."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


def curve(device: str, *options: dict, steps: int = STEPS) -> list[float]:
    """Losses of the default job's first steps, on one batch of its data."""
    settings = Config(dict(model=STEADY))
    for option in options:
        settings.merge_from_dict(option)
    with exact():
        step = training_step(JOB, {}, settings.to_dict(), device)
        return [step(batch())['loss'].item() for _ in range(steps)]


@cache
def batch() -> dict[str, dict]:
    """A batch of the default job's data, the same in every process."""
    compat.apply_all()
    init_default_scope('mcjepa_mm')
    loaders = Config.fromfile(JOB).train_dataloader
    found = {}
    with preserved_random_state():
        seed_sample(0)
        for task, size in BATCH.items():
            data = DATASETS.build(loaders[task].dataset)
            found[task] = default_collate([data[i] for i in range(size)])
    return found


@cache
def cpu_curve() -> list[float]:
    """Losses of float32 on the CPU."""
    return curve('cpu')


def compare_curves(
    found: list[float], expected: list[float], tolerance: float
) -> None:
    """Losses of every step, relative to what they should be."""
    for i, (a, b) in enumerate(zip(found, expected, strict=True)):
        assert abs(a - b) <= tolerance * b, (
            f'the loss of step {i + 1} is {a:.4f}, and {b:.4f} is expected '
            f'to {tolerance:.0%}'
        )


def check_training(option: str | None, device: str) -> None:
    """Training in a precision follows the CPU's curve, and goes down."""
    options = [precision(option)] if option else []
    found = curve(device, *options)
    # Training magnifies roundings, so means of three steps are compared; of a
    # model that learns nothing they would be off by 0.2.
    means = [
        [mean(run[i : i + 3]) for i in range(STEPS - 2)]
        for run in (found, cpu_curve())
    ]
    compare_curves(*means, 0.1 if option else 0.05)
    assert found[-1] < 0.9 * found[0], (
        f'the loss does not fall: {found[0]:.4f}, {found[-1]:.4f} after '
        f'{len(found)} steps'
    )


def precision(dtype: str) -> dict:
    """Options of mixed precision."""
    wrapper = dict(type='MixedPrecisionOptimWrapper', dtype=dtype)
    return dict(optim_wrapper=wrapper)


def check_with_cp(device: str) -> None:
    """Recomputing in backward changes nothing but rounding."""
    found = curve(device, VARIANTS['both with_cp'], steps=3)
    compare_curves(found, curve(device, steps=3), 1e-3)


def check_compiled(device: str) -> str | None:
    """Compiled modules train as eager ones do."""
    modules = COMPILED['model']['compile']['modules']
    on_cpu = torch.device(device).type == 'cpu'
    if on_cpu:
        modules = ['heads.content.expander']
    options = dict(model=dict(compile=dict(modules=modules)))
    found = curve(device, options, steps=3)
    compare_curves(found, curve(device, steps=3), 1e-3)
    return (
        'encoder and decoder compiled: it takes minutes on a CPU'
        if on_cpu
        else None
    )


def check_ddp(device: str) -> str | None:
    """One process of a group trains as a process without a group does."""
    on_cpu = torch.device(device).type == 'cpu'
    expected = curve(device, steps=3)
    with tempfile.TemporaryDirectory() as folder:
        dist.init_process_group(
            'gloo' if on_cpu else 'nccl',
            init_method=f'file://{folder}/store',
            rank=0,
            world_size=1,
            timeout=timedelta(seconds=60),
        )
        try:
            x = torch.ones(2, 3, device=device, requires_grad=True)
            losses.distributed._Gather.apply(x).square().sum().backward()
            assert torch.equal(x.grad, 2 * x), f'all_gather: {x.grad}'
            compare_curves(curve(device, steps=3), expected, 1e-3)
        finally:
            dist.destroy_process_group()
    return 'NCCL: a CPU has gloo' if on_cpu else None


# Compiling, which takes longest, comes last.
CHECKS: dict[str, Callable[[str], str | None]] = {
    **{
        f'operator: {name}': partial(check_operator, name)
        for name in OPERATORS
    },
    "operator: mmcv's correlation": check_mmcv,
    'training, float32': partial(check_training, None),
    'training, bfloat16': partial(check_training, 'bfloat16'),
    'training, float16': partial(check_training, 'float16'),
    'training, with_cp': check_with_cp,
    'training, DDP': check_ddp,
    'training, compiled': check_compiled,
}
