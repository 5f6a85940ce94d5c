import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from mcjepa_mm.registry import MODELS

from .base_pretext_head import BasePretextHead
from .vicreg_head import build_expander


@MODELS.register_module()
class DenseVICRegHead(BasePretextHead):
    """The dense task: two looks at a place should mean the same.

    Two windows of a frame, or of two frames, are cut out at places far apart,
    scaled, perhaps mirrored, and recoloured each for itself. Points that both
    show are read from the encoder's maps of the two windows, expanded, and
    compared by VICReg's loss, the points as samples: VICRegL's local
    criterion (arXiv 2210.01571) with matches that are known.

    With ``motion`` the windows are of two consecutive frames, and the place
    of a point in the second one comes from the flow that the motion head
    estimates; no gradient passes through it. Only points that are visible and
    move by ``min_motion`` count, as far as there are any.

    Args:
        in_channels (Sequence[int]): Channels of ``levels``.
        levels (Sequence[int]): Levels of the pyramid that are compared.
            Defaults to (3, 4).
        window (int): Side of the windows in pixels of the encoder's input.
            Defaults to 64.
        scale (tuple[float, float]): Range of the enlargement of a window.
        max_offset (int): Farthest distance of the corners of two windows, in
            pixels and each direction. Defaults to 32.
        num_points (int): Points of each sample. Defaults to 16.
        colour (float): Strength of the change of colours, 0 for none.
        motion (str, optional): Name of the motion head; None compares two
            windows of one frame.
        min_motion (float): Pixels, against the median of the frame.
        expander_channels (Sequence[int]): Of the expander of each level.
        vicreg (dict, optional): Config of the loss.
        loss_weight (float): Weight of the task. Defaults to 1.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        levels: Sequence[int] = (3, 4),
        *,
        window: int = 64,
        scale: tuple[float, float] = (0.8, 1.25),
        max_offset: int = 32,
        num_points: int = 16,
        colour: float = 0.4,
        motion: str | None = None,
        min_motion: float = 0.0,
        expander_channels: Sequence[int] = (256, 256, 128),
        norm: str = 'BN',
        vicreg: dict | None = None,
        loss_weight: float = 1.0,
        init_cfg: dict | list | None = None,
    ) -> None:
        super().__init__(
            num_views=2 if motion else 1,
            loss_weight=loss_weight,
            init_cfg=init_cfg,
        )
        self.needs_feats = bool(motion)
        self.levels = tuple(levels)
        self.window = window
        self.scale = tuple(scale)
        self.max_offset = max_offset
        self.num_points = num_points
        self.colour = colour
        self.motion = motion
        self.min_motion = min_motion
        self.expanders = nn.ModuleList(
            build_expander((c, *expander_channels), norm) for c in in_channels
        )
        self.vicreg = MODELS.build(vicreg or dict(type='mcjepa_mm.VICRegLoss'))

    def loss(
        self,
        feats: tuple[Tensor, ...],
        inputs: Tensor,
        encode: Callable[[Tensor], tuple[Tensor, ...]],
        motion: nn.Module | None = None,
    ) -> dict[str, Tensor]:
        self.check_views(inputs)
        n, size = len(inputs), inputs.shape[-2:]
        first, second = self.windows(n, size, inputs.device)
        frames = inputs[:, 0], inputs[:, -1]
        views = torch.stack(
            [
                recolour(cut(f, *w, self.window), self.colour)
                for f, w in zip(frames, (first, second))
            ],
            dim=1,
        )
        maps = encode(views)
        flow, weight = inputs.new_zeros(n, 2, *size), None
        if motion is not None:
            with torch.no_grad():
                _, both, visible = motion.estimate(
                    motion.split([x.detach() for x in feats], inputs), size
                )
            flow, weight = both[:n], visible[:n, 0]
            own = flow - flow.flatten(2).median(2).values[..., None, None]
            weight = weight * (own.norm(dim=1) >= self.min_motion)
        at1, at2 = self.points(flow, weight, first, second)
        terms = {}
        for level, expander in zip(self.levels, self.expanders):
            x = maps[level].unflatten(0, (n, 2))
            z = [
                expander(sample(x[:, i], at).flatten(0, 1))
                for i, at in enumerate((at1, at2))
            ]
            for name, term in self.vicreg(*z).items():
                terms[f'{name}{level}'] = term
        return terms

    def windows(self, n: int, size: Sequence[int], device) -> tuple:
        """Corner (N, 2) and step (N, 2) of two windows, x then y, pixels."""
        sides = torch.tensor(size[::-1], device=device)
        out = []
        near = None
        for _ in range(2):
            low, high = (math.log(s) for s in self.scale)
            step = (
                1 / torch.empty(n, 1, device=device).uniform_(low, high).exp()
            )
            room = (sides - self.window * step).clamp(min=0)
            if near is None:
                corner = torch.rand(n, 2, device=device) * room
            else:
                a = (near - self.max_offset).clamp(min=0)
                a = torch.minimum(a, room)
                b = torch.minimum(near + self.max_offset, room)
                corner = a + torch.rand(n, 2, device=device) * (b - a)
            near = corner.clone()
            step = step.expand(n, 2).clone()
            mirrored = torch.rand(n, device=device) < 0.5
            corner[:, 0] += mirrored * (self.window - 1) * step[:, 0]
            step[:, 0] *= 1 - 2 * mirrored.float()
            out.append((corner, step))
        return out

    def points(self, flow, weight, first, second):
        """Normalised places (N, P, 2) of the same points in both windows."""
        n, _, h, w = flow.shape
        ys, xs = torch.meshgrid(
            torch.arange(h, device=flow.device),
            torch.arange(w, device=flow.device),
            indexing='ij',
        )
        here = torch.stack([xs, ys], -1).flatten(0, 1).to(flow.dtype)
        there = here + flow.flatten(2).movedim(1, 2)
        shown = inside_window(here.expand(n, -1, -1), first, self.window)
        shown = shown & inside_window(there, second, self.window)
        chance = shown.float() + 1e-6
        if weight is not None:
            chance = chance * weight.flatten(1) + 1e-6 * shown + 1e-12
        chosen = chance.multinomial(self.num_points, replacement=True)
        chosen = chosen[..., None].expand(-1, -1, 2)
        pairs = zip((here.expand(n, -1, -1), there), (first, second))
        return [
            (2 * to_window(p.gather(1, chosen), *wd) + 1) / self.window - 1
            for p, wd in pairs
        ]

    def predict(
        self,
        feats: tuple[Tensor, ...],
        inputs: Tensor,
        data_samples: list[BaseDataElement],
    ) -> list[BaseDataElement]:
        """Add nothing."""
        return data_samples


def to_window(points: Tensor, corner: Tensor, step: Tensor) -> Tensor:
    """Places (N, P, 2) in pixels of the frame, in pixels of the window."""
    return (points - corner[:, None]) / step[:, None]


def inside_window(points: Tensor, window: tuple, side: int) -> Tensor:
    """Which points (N, P, 2) a window shows: (N, P)."""
    p = to_window(points, *window)
    return ((p >= 0) & (p <= side - 1)).all(-1)


def cut(frame: Tensor, corner: Tensor, step: Tensor, side: int) -> Tensor:
    """Sample windows (N, C, side, side) of frames (N, C, H, W)."""
    h, w = frame.shape[-2:]
    line = torch.arange(side, device=frame.device, dtype=frame.dtype)
    x = corner[:, :1] + step[:, :1] * line
    y = corner[:, 1:] + step[:, 1:] * line
    grid = torch.stack(
        [
            x[:, None].expand(-1, side, -1) * 2 / (w - 1) - 1,
            y[:, :, None].expand(-1, -1, side) * 2 / (h - 1) - 1,
        ],
        -1,
    )
    return F.grid_sample(
        frame, grid, padding_mode='border', align_corners=True
    )


def sample(x: Tensor, at: Tensor) -> Tensor:
    """Features (N, P, C) of maps (N, C, H, W) at normalised places."""
    out = F.grid_sample(
        x.contiguous(), at[:, None], padding_mode='border', align_corners=False
    )
    return out[:, :, 0].movedim(1, 2)


def recolour(x: Tensor, strength: float) -> Tensor:
    """Turn hues, change saturation, contrast and light of each image.

    One affine map of colours a sample, on normalised images (N, 3, H, W).
    """
    if not strength:
        return x
    n = len(x)
    u = torch.rand(n, 4, device=x.device) * 2 - 1
    turn = math.pi * (u[:, 0])
    saturation = (1.5 * strength * u[:, 1]).exp()
    contrast = (strength * u[:, 2]).exp()
    grey = torch.full((3, 3), 1 / 3, device=x.device)
    eye = torch.eye(3, device=x.device)
    skew = (
        torch.tensor([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]], device=x.device)
        / 3**0.5
    )
    c, s = turn.cos()[:, None, None], turn.sin()[:, None, None]
    chroma = saturation[:, None, None] * (c * (eye - grey) + s * skew)
    matrix = contrast[:, None, None] * (grey + chroma)
    light = strength * u[:, 3]
    out = torch.einsum('nij,njhw->nihw', matrix, x)
    return out + light[:, None, None, None]
