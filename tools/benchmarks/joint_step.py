"""The step of both tasks, forward and backward; and the optimiser's.

ConvNeXt-T, 8 images x 2 views of 224 px and 2 pairs of 256 x 512. The peer is
the plain composition of plain_step.py, with either of the cost volumes that
public ports use. Terms and gradients of both are equal but for the variance
and covariance of maps: ours draw 4096 positions of a level, as the recipe
does, the peer's take all.
"""

from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks._case import Case, Work, optional
from benchmarks.cost_volume import shift_and_sum, unfold_and_einsum

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
VIEWS, FRAMES = (8, 224), (2, 256, 512)
PEERS = ('mmpretrain.models', 'mmflow.models', 'lightly.loss')
# Their gradients are compared: both ends of the encoder and one per head.
COMPARED = (
    'backbone.stem.1.0.weight',
    'backbone.stages.3.2.pointwise_conv1.weight',
    'heads.content.expander.6.weight',
    'heads.motion.decoder.estimators.0.layers.0.0.weight',
)


def build_ours(
    arch: str | dict = 'tiny',
    expander: Sequence[int] | None = None,
    all_positions: bool = False,
    with_cp: bool = False,
) -> nn.Module:
    """The recipe's model with seeded weights.

    Args:
        arch (str | dict): Of the encoder.
        expander (Sequence[int], optional): Widths of the expander's layers.
        all_positions (bool): Take the variance and covariance of maps over
            all positions, as the plain composition does.
        with_cp (bool): Of encoder and decoder, to save memory.
    """
    from mmengine.config import Config

    from mcjepa_mm.registry import MODELS

    path = CONFIGS / '_base_' / 'models' / 'mcjepa_convnext-tiny.py'
    cfg = Config.fromfile(path).model
    cfg.backbone.arch = arch
    content, motion = cfg.heads.content, cfg.heads.motion
    cfg.backbone.with_cp = motion.decoder.with_cp = with_cp
    if expander is not None:
        content.expander_channels = expander
    if all_positions:
        motion.losses.vc.max_samples = 2**40
    cfg.heads.propagation = None
    torch.manual_seed(0)
    return MODELS.build(cfg)


def inputs(
    views: tuple[int, int] = VIEWS, frames: tuple[int, int, int] = FRAMES
) -> dict[str, Tensor]:
    """Normalised images of both tasks, the same on every call.

    Smooth ones: the flow's gradient jumps from pixel to pixel in noise, and
    the rounding of two equal sums would come out as a difference of 1 %.
    """
    generator = torch.Generator().manual_seed(1)

    def images(count: int, height: int, width: int) -> Tensor:
        coarse = torch.randn(
            2 * count, 3, height // 16, width // 16, generator=generator
        )
        fine = F.interpolate(coarse, size=(height, width), mode='bicubic')
        return fine.unflatten(0, (count, 2))

    count, side = views
    return dict(content=images(count, side, side), motion=images(*frames))


def named_terms(losses: dict[str, Tensor]) -> dict[str, Tensor]:
    """The pretrainer's terms with those of VICReg summed, as lightly's are."""
    terms = {k: v for k, v in losses.items() if not k.startswith('content.')}
    content = [v for k, v in losses.items() if k.startswith('content.')]
    return dict(content=sum(content), **terms)


def ours(
    device: str, with_cp: bool = False
) -> tuple[nn.Module, Callable, Sequence[str]]:
    """Model, its terms, and the names of the weights that are compared."""
    model = build_ours(with_cp=with_cp).to(device)
    data = {task: x.to(device) for task, x in inputs().items()}
    return model, lambda: named_terms(model.loss(data)), COMPARED


def plain(
    cost_volume: Callable, device: str
) -> tuple[nn.Module, Callable, Sequence[str]]:
    """The same of the plain composition, with the weights of ours."""
    from benchmarks.plain_step import PlainStep, plain_name

    model = PlainStep(cost_volume).to(device)
    model.load_pretrainer(build_ours().state_dict())
    data = {task: x.to(device) for task, x in inputs().items()}
    names = [plain_name(name) for name in COMPARED]
    return model, lambda: model(**data), names


def step(build: Callable, device: str) -> Callable[[], Work]:
    """A side: the loss and the gradients of all weights."""

    def make() -> Work:
        model, loss, names = build(device)

        def work() -> list[Tensor]:
            model.zero_grad()
            terms = loss()
            sum(terms.values()).backward()
            equal = [terms[k] for k in sorted(terms) if '.vc_' not in k]
            return equal + [model.get_parameter(name).grad for name in names]

        return work

    return make


def update(build: Callable, settings: dict, device: str) -> Callable[[], Work]:
    """A side: the optimiser's step."""

    def make() -> Work:
        model, *_ = build(device)
        for weight in model.parameters():
            weight.grad = torch.full_like(weight, 1e-3)
        optimizer = torch.optim.AdamW(model.parameters(), **settings)
        return optimizer.step

    return make


def operations(
    arch: str = 'tiny',
    views: tuple[int, int] = VIEWS,
    frames: tuple[int, int, int] = FRAMES,
) -> int:
    """Products and sums of convolutions, linear layers and cost volumes.

    The gradients with respect to inputs and weights cost as much as the
    forward each; that the images have none is left out.

    Args:
        arch (str): Of the encoder.
        views (tuple[int, int]): Number of images, and side of their views.
        frames (tuple[int, int, int]): Number of pairs, height and width.
    """
    from mcjepa_mm.models.backbones.convnext import ARCHS

    widths, depths = ARCHS[arch]['channels'], ARCHS[arch]['depths']
    levels = (widths[0] // 2, widths[0] // 2, *widths)
    hidden = (128, 128, 96, 64, 32, 2)
    count, side = views
    pairs, height, width = frames
    total = 2 * count * (widths[-1] * 8192 + 2 * 8192**2)  # the expander
    for pixels, motion in (
        (2 * count * side**2, False),
        (2 * pairs * height * width, True),
    ):
        before, kernels = 3, (4, 3, 2, 2, 2, 2)
        for i, (channels, kernel) in enumerate(zip(levels, kernels)):
            places = pixels / 4 ** (i + 1)
            total += places * channels * before * kernel**2
            if i > 1:
                block = channels * (49 + 8 * channels)
                total += places * depths[i - 2] * block
            if motion:  # as many directions as frames
                inputs = 81 + channels + 2
                total += places * 81 * channels
                for a, b in zip((inputs, *hidden), hidden):
                    total += places * 9 * a * b
            before = channels
    return round(3 * 2 * total)


def recipe_optimizer() -> dict:
    """Settings of the recipe's AdamW."""
    from mmengine.config import Config

    cfg = Config.fromfile(CONFIGS / 'mcjepa_convnext.py')
    settings = dict(cfg.optim_wrapper.optimizer)
    assert settings.pop('type') == 'AdamW', settings
    return settings


def cases(device: str) -> list[Case]:
    """The step, and the optimiser's."""
    volumes = {
        'shift + sum': shift_and_sum,
        'unfold + einsum': unfold_and_einsum,
    }
    peers = {
        f'plain, {name}': step(partial(plain, volume), device)
        for name, volume in volumes.items()
    }
    peers = optional(peers, *PEERS)
    if peers:
        import_module('benchmarks.plain_step')  # see optional
    settings = recipe_optimizer()
    plain_settings = {k: v for k, v in settings.items() if k != 'fused'}
    return [
        Case(
            shape='8 x 2 views, 2 pairs',
            sides={
                'ours': step(ours, device),
                'ours, with_cp': step(partial(ours, with_cp=True), device),
                **peers,
            },
            flops=operations(),
            # Sums of float32 in another order move a few targets of the flow
            # over the middle of a pixel, where its gradient jumps.
            tolerance=1e-2,
        ),
        Case(
            shape='AdamW',
            sides={
                'ours': update(ours, settings, device),
                "torch's default": update(ours, plain_settings, device),
            },
            tolerance=None,
        ),
    ]
