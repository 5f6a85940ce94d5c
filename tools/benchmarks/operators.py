"""Losses, warps and masks beside their peers, with their gradients.

vicreg: the loss of two views. The peer is lightly's VICRegLoss with its
default weights, whose conventions are ours: the variance terms of the views
averaged, the covariance terms summed. It holds the D x D covariance.

warp: features warped by a flow and masked where it leaves. The peer is
mmflow's Warp, which has to be told ``align_corners=True`` and samples a map of
ones to find what lies inside. Every side has the layout of its models.

occlusion: which pixels the flows of both directions call visible, no gradient.
The peers are mmflow's two functions. Its range map has a threshold of 1, which
ours is given here. Its forward-backward check doubles the forward flow where
the formula squares it, so as many operations come to another mask, which is
not compared.

photometric: L1 + L2 + SSIM of an image and a warped one, and the latter's
gradient. avg_pool2d is the usual way in self-supervised depth and flow, equal
in its result; kornia's SSIM has a Gaussian window, and is not compared.

map_regularizer: variance and covariance of the encoder's maps of two pairs of
256 x 512 by ConvNeXt-T, the recipe's weights. The peer takes all positions of
every map and the D x D covariance; the recipe's 4096 positions a level are an
estimate, which is not compared.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from benchmarks._case import Case, Work, optional
from benchmarks.plain_losses import SSIM, covariance, masked_mean, variance

# both directions of two pairs of 256 x 512
FLOW, IMAGE = (4, 2, 256, 512), (4, 3, 256, 512)
WARPED = ((4, 48, 128, 256), (4, 384, 8, 16))  # a fine and a coarse level
VIEWS = ((256, 2048), (2048, 8192), (256, 8192))
CHANNELS, STRIDES = (48, 48, 96, 192, 384, 768), (2, 4, 8, 16, 32, 64)
VARIANCE = (0.0001, 0.001, 0.01, 0.01, 0.01, 0.01)
COVARIANCE = (0.0, 0.0, 0.0, 0.001, 0.04, 0.04)


def side(
    build: Callable[[], Callable],
    inputs: Callable[[], Sequence[Tensor]],
    device: str,
    *,
    grads: Sequence[int] = (),
    layout: torch.memory_format = torch.contiguous_format,
) -> Callable[[], Work]:
    """A side: a function of seeded inputs and its gradients.

    Args:
        build (Callable): Makes the function.
        inputs (Callable): Makes its inputs.
        device (str): Where they go.
        grads (Sequence[int]): The inputs that gradients are taken of.
        layout (torch.memory_format): Of inputs (N, C, H, W).
    """

    def make() -> Work:
        function = build()
        torch.manual_seed(0)
        tensors = [x.to(device) for x in inputs()]
        if layout != torch.contiguous_format:
            tensors = [x.contiguous(memory_format=layout) for x in tensors]
        wanted = [tensors[i].requires_grad_() for i in grads]

        def work() -> list[Tensor]:
            with torch.set_grad_enabled(bool(wanted)):
                result = function(*tensors)
            if not wanted:
                return [result]
            total = result.square().mean() if result.dim() else result
            return [result, *torch.autograd.grad(total, wanted)]

        return work

    return make


def vicreg_cases(device: str) -> list[Case]:
    """Each shape, samples x dimensions."""

    def ours() -> Callable[[Tensor, Tensor], Tensor]:
        from mcjepa_mm.models.losses import VICRegLoss

        loss = VICRegLoss()
        return lambda z1, z2: sum(loss(z1, z2).values())

    def lightly() -> Callable[[Tensor, Tensor], Tensor]:
        from lightly.loss import VICRegLoss

        return VICRegLoss()

    def views(n: int, dims: int) -> Callable[[], list[Tensor]]:
        # some dimensions above and some below the hinge
        scale = torch.linspace(0.2, 2.0, dims)
        return lambda: [scale * torch.randn(n, dims) for _ in range(2)]

    builds = {'ours': ours}
    builds |= optional({"lightly's VICRegLoss": lightly}, 'lightly.loss')
    # Imported here, so that they are no part of a side's memory.
    for build in builds.values():
        build()
    return [
        Case(
            shape=f'({n}, {dims})',
            sides={
                name: side(build, views(n, dims), device, grads=(0, 1))
                for name, build in builds.items()
            },
            # per view, a product for the value and one for the gradient
            flops=2 * 2 * 2 * n * dims * min(n, dims),
            # per view, z read by both and its gradient written
            traffic=2 * 3 * 4 * n * dims,
        )
        for n, dims in VIEWS
    ]


def warp_cases(device: str) -> list[Case]:
    """Each shape; every side has the layout that its models have."""

    def ours() -> Callable[[Tensor, Tensor], Tensor]:
        from mcjepa_mm.models.flow import inside, warp

        return lambda feat, flow: warp(feat, flow, 'zeros') * inside(flow)

    def mmflow() -> Callable[[Tensor, Tensor], Tensor]:
        from mmflow.models.utils.warp import Warp

        return Warp(align_corners=True)

    def inputs(shape: Sequence[int]) -> list[Tensor]:
        n, _, *size = shape
        # Between the pixels: at a pixel the gradient jumps, and rounding
        # decides to which side.
        flow = 2 * torch.randn(n, 2, *size).floor()
        flow = flow + 0.1 + 0.8 * torch.rand(n, 2, *size)
        return [torch.randn(shape), flow]

    sides = {'ours': (ours, torch.channels_last)}
    peers = optional({"mmflow's Warp": mmflow}, 'mmflow.models')
    sides |= {k: (v, torch.contiguous_format) for k, v in peers.items()}
    return [
        Case(
            shape=str(shape),
            sides={
                name: side(
                    build,
                    lambda shape=shape: inputs(shape),
                    device,
                    grads=(0, 1),
                    layout=layout,
                )
                for name, (build, layout) in sides.items()
            },
            # the feature read twice, the result written, its gradient read
            # and the feature's written
            traffic=5 * 4 * torch.Size(shape).numel(),
        )
        for shape in WARPED
    ]


def occlusion_cases(device: str) -> list[Case]:
    """The forward-backward check and the range map."""

    def our_check() -> Callable[[Tensor, Tensor], Tensor]:
        from mcjepa_mm.models.flow import forward_backward_visibility

        return forward_backward_visibility

    def our_map() -> Callable[[Tensor, Tensor], Tensor]:
        from mcjepa_mm.models.flow import range_map_visibility

        return lambda _, back: range_map_visibility(back, threshold=1.0)

    def their_check() -> Callable[[Tensor, Tensor], Tensor]:
        from mmflow.models.utils.occlusion_estimation import (
            forward_backward_consistency,
        )

        return forward_backward_consistency

    def their_map() -> Callable[[Tensor, Tensor], Tensor]:
        from mmflow.models.utils.occlusion_estimation import compute_range_map

        return lambda _, back: compute_range_map(back)

    def flows() -> list[Tensor]:
        flow = 2 * torch.randn(FLOW)
        return [flow, -flow + 0.5 * torch.randn(FLOW)]

    # flows (both; of the range map one) read, the mask written, a pixel
    rows = [('forward-backward', our_check, their_check, 5, None)]
    if device == 'cpu':  # mmflow's range map computes there only
        rows.append(('range map', our_map, their_map, 3, 1e-3))
    return [
        Case(
            shape=f'{name}, {FLOW}',
            sides={
                'ours': side(mine, flows, device),
                **optional(
                    {"mmflow's": side(peer, flows, device)}, 'mmflow.models'
                ),
            },
            traffic=4 * moved * torch.Size(FLOW).numel() // 2,
            tolerance=tolerance,
        )
        for name, mine, peer, moved, tolerance in rows
    ]


def photometric_cases(device: str) -> list[Case]:
    """One shape, against each peer."""

    def ours() -> Callable[[Tensor, Tensor, Tensor], Tensor]:
        from mcjepa_mm.models.losses import photometric_loss

        return photometric_loss

    def kornia(x: Tensor, y: Tensor) -> Tensor:
        from kornia.metrics import ssim

        return (1 - ssim(x, y, 3)) / 2

    def around(distance: Callable) -> Callable[[], Callable]:
        def loss(image: Tensor, warped: Tensor, mask: Tensor) -> Tensor:
            difference = image - warped
            error = difference.abs() + difference**2 + distance(image, warped)
            return masked_mean([error], [mask])

        return lambda: loss

    def inputs() -> list[Tensor]:
        image = torch.rand(IMAGE)
        warped = (image + 0.1 * torch.randn(IMAGE)).clamp(0, 1)
        return [image, warped, torch.rand(IMAGE[0], 1, *IMAGE[2:]).round()]

    mine = {'ours': side(ours, inputs, device, grads=[1])}
    pooled = {'avg_pool2d': side(around(SSIM()), inputs, device, grads=[1])}
    theirs = {"kornia's SSIM": side(around(kornia), inputs, device, grads=[1])}
    return [
        Case(
            shape=f'{IMAGE}, {name} window',
            sides={**mine, **peer},
            # both images and the mask read, the gradient written
            traffic=4 * (3 + 1 / IMAGE[1]) * torch.Size(IMAGE).numel(),
            tolerance=tolerance,
        )
        for name, peer, tolerance in (
            ('box', pooled, 1e-3),
            ('Gaussian', optional(theirs, 'kornia'), None),
        )
    ]


def map_regularizer_cases(device: str) -> list[Case]:
    """The recipe's samples, then all positions."""

    def ours(most: int) -> Callable[[], Callable]:
        from mcjepa_mm.models.losses import FeatureVCLoss

        # without its gathering
        loss = FeatureVCLoss(
            VARIANCE, COVARIANCE, max_samples=most, gather=False
        )
        return lambda: lambda *x: sum(loss(x, num_views=2).values())

    def plain(*feats: Tensor) -> Tensor:
        total = 0.0
        for feat, weight, cov_weight in zip(feats, VARIANCE, COVARIANCE):
            z = feat.permute(0, 2, 3, 1).reshape(-1, feat.shape[1])
            total = total + weight * variance(z)
            if cov_weight:
                total = total + cov_weight * covariance(z)
        return total

    def maps() -> list[Tensor]:
        return [
            0.5 * torch.randn(4, c, 256 // s, 512 // s)
            for c, s in zip(CHANNELS, STRIDES)
        ]

    options = dict(grads=range(6), layout=torch.channels_last)
    positions = [4 * (256 // s) * (512 // s) for s in STRIDES]
    rows = []
    for name, most, tolerance in (
        ('ours at 4096 positions', 4096, None),
        ('all positions', max(positions), 1e-3),
    ):
        sizes = [(min(x, most), c) for x, c in zip(positions, CHANNELS)]
        rows.append(
            Case(
                shape=f'{name} of 6 levels',
                sides={
                    'ours': side(ours(most), maps, device, **options),
                    'all positions, D x D': side(
                        lambda: plain, maps, device, **options
                    ),
                },
                # a product of the smaller side, whole, and its gradient
                flops=sum(
                    2 * 2 * n * c * min(n, c)
                    for (n, c), weight in zip(sizes, COVARIANCE)
                    if weight
                ),
                # the samples read, the gradient of all positions written
                traffic=4
                * sum(
                    (n + total) * c for (n, c), total in zip(sizes, positions)
                ),
                tolerance=tolerance,
            )
        )
    return rows
