import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mcjepa_mm.registry import MODELS

from .base_pretext_head import BasePretextHead, EncoderInfo, fill_in
from .vicreg_head import build_expander


class Windows(NamedTuple):
    """Scaled, perhaps mirrored crops: pixel p of one shows corner + p step."""

    corner: Tensor  # (N, 2), x then y, pixels of the frame
    step: Tensor  # (N, 2), pixels of the frame per pixel of the window


@MODELS.register_module()
class DenseVICReg(nn.Module):
    """VICReg on matching points of two windows, level by level.

    Two windows of 64 pixels are cut from a frame, or one from it and one from
    the next frame, scaled, perhaps mirrored, and recolored independently.
    Points that both show are read from the maps of the encoder, expanded, and
    compared by VICReg's loss with the points as samples. It is the local
    criterion of VICRegL (arXiv 2210.01571) with known matches: positions in a
    still, or optical flow between frames.

    Args:
        in_channels (Sequence[int]): Channels of every level of the encoder; a
            pretrainer's head takes them from there.
        levels (Sequence[int]): Those that are compared. Defaults to (2, 3).
        window (int): Side of the windows in pixels. Defaults to 64.
        scale (tuple[float, float]): Range of their enlargement.
        max_offset (int): Farthest that matching windows are apart, in pixels
            and each direction. Defaults to 24.
        num_points (int): Points of each pair of windows. Defaults to 16.
        color (float): Strength of the change of colors; 0 is none.
        by_flow (bool): In a :class:`FlowHead`, whether the second window is
            of the other frame and the flow says where points go, rather than
            of the same frame. Defaults to True.
        expander_channels (Sequence[int]): Of each level's expander.
        vicreg (dict, optional): Config of the loss.
        loss_weight (float): Defaults to 1.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        levels: Sequence[int] = (2, 3),
        *,
        window: int = 64,
        scale: tuple[float, float] = (0.8, 1.25),
        max_offset: int = 24,
        num_points: int = 16,
        color: float = 0.4,
        by_flow: bool = True,
        expander_channels: Sequence[int] = (256, 256, 128),
        vicreg: dict | None = None,
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.levels = tuple(levels)
        self.window = window
        self.scale = scale
        self.max_offset = max_offset
        self.num_points = num_points
        self.color = color
        self.by_flow = by_flow
        self.expanders = nn.ModuleList(
            build_expander((in_channels[level], *expander_channels), 'BN')
            for level in self.levels
        )
        self.vicreg = MODELS.build(vicreg or dict(type='mcjepa_mm.VICRegLoss'))
        self.loss_weight = loss_weight

    def forward(
        self,
        frames: Tensor,
        others: Tensor,
        flow: Tensor,
        visible: Tensor,
        encode: Callable[[Tensor], tuple[Tensor, ...]],
    ) -> dict[str, Tensor]:
        """Compute the terms of the loss.

        Args:
            frames (Tensor): (N, 3, H, W), normalised.
            others (Tensor): (N, 3, H, W), the same frames or the next ones.
            flow (Tensor): (N, 2, H, W) from frames to others, pixels. No
                gradient goes back to it.
            visible (Tensor): (N, 1, H, W), 1 where the other frame shows the
                point. Occluded points are taken where there are no others.
            encode (Callable): (N, V, 3, h, w) to the pyramid of N * V.

        Returns:
            dict[str, Tensor]: VICReg's terms, named by level.
        """
        windows = self.draw_windows(flow.detach())
        views = torch.stack(
            [
                recolor(cut_windows(x, w, self.window), self.color)
                for x, w in zip((frames, others), windows)
            ],
            dim=1,
        )
        maps = encode(views)
        places = self.draw_points(flow.detach(), visible.detach(), windows)
        terms = {}
        for level, expander in zip(self.levels, self.expanders):
            x = maps[level].unflatten(0, (len(frames), 2))
            z = [
                expander(read_points(x[:, i], place).flatten(0, 1))
                for i, place in enumerate(places)
            ]
            for name, term in self.vicreg(*z).items():
                terms[f'{name}{level}'] = self.loss_weight * term
        return terms

    def draw_windows(self, flow: Tensor) -> tuple[Windows, Windows]:
        """Draw a window of each frame and one of what it shows later."""
        n, _, *size = flow.shape
        sides = flow.new_tensor(size[::-1])

        def draw(near: Tensor | None = None) -> tuple[Tensor, Tensor]:
            log = flow.new_empty(n, 1).uniform_(*map(math.log, self.scale))
            step = (-log).exp().expand(n, 2).clone()
            room = (sides - 1 - (self.window - 1) * step).clamp(min=0)
            corner = torch.rand_like(room) * room
            if near is not None:
                offset = self.max_offset * (2 * torch.rand_like(room) - 1)
                corner = (near + offset).clamp(min=0).minimum(room)
            return corner, step

        corner, step = draw()
        middle = (corner + self.window / 2 * step).long()
        middle = middle.minimum(sides.long() - 1)
        samples = torch.arange(n, device=flow.device)
        moved = flow[samples, :, middle[:, 1], middle[:, 0]]
        return mirror(corner, step, self.window), mirror(
            *draw(corner + moved), self.window
        )

    def draw_points(
        self, flow: Tensor, visible: Tensor, windows: tuple[Windows, Windows]
    ) -> list[Tensor]:
        """Draw the same points in both windows.

        Returns:
            list[Tensor]: Their places in each, (N, P, 2), x then y, -1 to 1
            from border to border.
        """
        height, width = flow.shape[-2:]
        y, x = torch.meshgrid(
            torch.arange(height, device=flow.device),
            torch.arange(width, device=flow.device),
            indexing='ij',
        )
        here = torch.stack([x, y], -1).flatten(0, 1).to(flow)
        points = [here.expand(len(flow), -1, -1), here + flow.flatten(2).mT]
        places = [
            (points[i] - w.corner[:, None]) / w.step[:, None]
            for i, w in enumerate(windows)
        ]
        chance = visible.flatten(1) + 1e-6
        for place in places:
            shown = (place >= 0) & (place <= self.window - 1)
            chance = chance * shown.all(-1)
        # where no point is in both windows, any will do
        drawn = (chance + 1e-12).multinomial(self.num_points, True)
        drawn = drawn[..., None].expand(-1, -1, 2)
        return [
            (2 * place.gather(1, drawn) + 1) / self.window - 1
            for place in places
        ]


@MODELS.register_module()
class DenseVICRegHead(BasePretextHead):
    """Dense task on stills: :class:`DenseVICReg` within each of the views.

    Args:
        dense (dict): Config of a :class:`DenseVICReg`; a pretrainer adds the
            encoder's channels.
        num_views (int): Views V of a sample, each a still. Defaults to 1.
        loss_weight (float): Weight of the task. Defaults to 1.
        init_cfg (dict, optional): mmengine's initialisation.
    """

    needs_feats = False

    def __init__(
        self,
        dense: dict,
        *,
        num_views: int = 1,
        loss_weight: float = 1.0,
        init_cfg: dict | list | None = None,
    ) -> None:
        super().__init__(
            num_views=num_views, loss_weight=loss_weight, init_cfg=init_cfg
        )
        self.dense = MODELS.build(dense)

    @classmethod
    def complete(cls, cfg: dict, encoder: EncoderInfo) -> dict:
        dense = fill_in(cfg['dense'], in_channels=encoder.channels)
        return dict(cfg, dense=dense)

    def loss(
        self,
        feats: tuple[Tensor, ...],
        inputs: Tensor,
        encode: Callable[[Tensor], tuple[Tensor, ...]],
    ) -> dict[str, Tensor]:
        self.check_views(inputs)
        stills = inputs.flatten(0, 1)
        return self.dense(
            stills,
            stills,
            torch.zeros_like(stills[:, :2]),
            torch.ones_like(stills[:, :1]),
            encode,
        )


def mirror(corner: Tensor, step: Tensor, side: int) -> Windows:
    """Mirror half of the windows from left to right."""
    mirrored = torch.rand(len(corner), device=corner.device) < 0.5
    flip = torch.stack([mirrored, torch.zeros_like(mirrored)], 1).to(step)
    return Windows(corner + flip * (side - 1) * step, step * (1 - 2 * flip))


def cut_windows(frames: Tensor, windows: Windows, side: int) -> Tensor:
    """Sample the windows (N, C, side, side) of frames (N, C, H, W)."""
    height, width = frames.shape[-2:]
    line = torch.arange(side, device=frames.device, dtype=frames.dtype)
    x, y = (
        2
        * (windows.corner[:, i, None] + windows.step[:, i, None] * line)
        / (length - 1)
        - 1
        for i, length in enumerate((width, height))
    )
    grid = torch.stack(
        [
            x[:, None, :].expand(-1, side, -1),
            y[:, :, None].expand(-1, -1, side),
        ],
        dim=-1,
    )
    return F.grid_sample(
        frames, grid, padding_mode='border', align_corners=True
    )


def read_points(maps: Tensor, places: Tensor) -> Tensor:
    """Features (N, P, C) of maps (N, C, h, w) at places (N, P, 2)."""
    found = F.grid_sample(
        maps, places[:, None], padding_mode='border', align_corners=False
    )
    return found[:, :, 0].mT


def recolor(images: Tensor, strength: float) -> Tensor:
    """Change hue, saturation, contrast and brightness of each image.

    Args:
        images (Tensor): (N, 3, H, W), normalised, around 0.
        strength (float): 0 leaves them as they are; hue is turned all around
            for every other value.

    Returns:
        Tensor: (N, 3, H, W). Hue turns about the grey axis.
    """
    if not strength:
        return images
    u = 2 * torch.rand(len(images), 4, device=images.device) - 1
    u = u.to(images)[..., None, None]
    grey = torch.full((3, 3), 1 / 3).to(images)
    chroma = torch.eye(3).to(images) - grey
    quarter = torch.tensor([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]).to(images)
    turned = (math.pi * u[:, 0]).cos() * chroma
    turned = turned + (math.pi * u[:, 0]).sin() * quarter / 3**0.5
    matrix = grey + (1.5 * strength * u[:, 1]).exp() * turned
    matrix = (strength * u[:, 2]).exp() * matrix
    recolored = torch.einsum('nij,njhw->nihw', matrix, images)
    return recolored + strength * u[:, 3, None]
