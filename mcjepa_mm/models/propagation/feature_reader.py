"""Read the features of frames as grids, optionally whitened."""

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .cell_features import CellFeatures
from .feature_grid import cell_features, chosen_maps, feature_grid
from .whitening import (
    Moments,
    Whitening,
    check_shrinkage,
    moments_of_maps,
    read_whitening,
    whitening_of_moments,
)

FIRST_FRAME = 'first_frame'
"""Statistics of the frame whose mask is given."""


class FeatureReader:
    """Make grids of a backbone's maps, by :func:`feature_grid`.

    Whitening (see :func:`~.whitening.whitening`) never sees the frames whose
    objects are to be found: its statistics are those of a video's first
    frame, or come from a file.

    Args:
        levels (Sequence[int] | str, optional): See :func:`feature_grid`.
        stride (int): See :func:`feature_grid`.
        whiten (str | PathLike, optional): 'first_frame', or a file that
            :func:`~.whitening.write_whitening` wrote for these levels of this
            encoder. Defaults to None: features as they are.
        shrinkage (float): Of the whitening by the first frame. Defaults to
            1e-3.

    Raises:
        FileNotFoundError, ValueError: If the file of statistics is missing or
            holds anything else, or ``shrinkage`` is out of range.
    """

    def __init__(
        self,
        *,
        levels: Sequence[int] | str | None = None,
        stride: int = 8,
        whiten: str | os.PathLike | None = None,
        shrinkage: float = 1e-3,
    ) -> None:
        check_shrinkage(shrinkage)
        self.levels = levels
        self.stride = stride
        self.by_first_frame = whiten == FIRST_FRAME
        self.shrinkage = shrinkage
        self.whitening: list[Whitening] | None = None
        if whiten is not None and not self.by_first_frame:
            self.whitening = read_whitening(whiten)

    def read(
        self,
        maps: Tensor | Sequence[Tensor],
        image_size: tuple[int, int],
        starts: Sequence[bool],
    ) -> Tensor:
        """Return the features of consecutive frames.

        Args:
            maps (Tensor | Sequence[Tensor]): See :func:`feature_grid`.
            image_size (tuple[int, int]): Height and width of the images.
            starts (Sequence[bool]): For each of the N frames, whether it is
                the first one of a video.

        Returns:
            Tensor: (N, H / stride, W / stride, C), features of length 1.

        Raises:
            RuntimeError: If the first frame's statistics are asked for and
                there was no first frame.
            TypeError, ValueError: See :func:`feature_grid` and
                :func:`~.whitening.whitening`.
        """
        frames = self._frames(maps, image_size, starts)
        return torch.cat([self.grid(x, image_size) for x in frames])

    def read_cells(
        self,
        maps: Tensor | Sequence[Tensor],
        image_size: tuple[int, int],
        starts: Sequence[bool],
    ) -> list[CellFeatures]:
        """:meth:`read`, each frame with coarse levels at their own size."""
        return [
            self.cells(x, image_size)
            for x in self._frames(maps, image_size, starts)
        ]

    def _frames(
        self,
        maps: Tensor | Sequence[Tensor],
        image_size: tuple[int, int],
        starts: Sequence[bool],
    ) -> Iterator[list[Tensor]]:
        """Maps of one frame after the other, with its video's statistics."""
        maps = [maps] if isinstance(maps, Tensor) else maps
        for t, is_first in enumerate(starts):
            frame = [x[t : t + 1] for x in maps]
            if self.by_first_frame and is_first:
                self.whitening = self._fitted(self.moments(frame, image_size))
            if self.by_first_frame and self.whitening is None:
                raise RuntimeError(
                    'whitening by the first frame needs one: give the first '
                    'frame of a video before the others'
                )
            yield frame

    def moments(
        self, maps: Tensor | Sequence[Tensor], image_size: tuple[int, int]
    ) -> list[Moments]:
        """Mean and scatter of the cells of each level in use."""
        return moments_of_maps(
            chosen_maps(
                maps, image_size, levels=self.levels, stride=self.stride
            )
        )

    def fit(self, moments: Iterable[list[Moments]]) -> list[Whitening]:
        """Fit the whitening to moments of images.

        Args:
            moments (Iterable[list[Moments]]): Of batches of them, see
                :meth:`moments`.

        Returns:
            list[Whitening]: Of each level.

        Raises:
            ValueError: If there is no batch, or as
                :func:`~.whitening.whitening`.
        """
        total: list[Moments] = []
        for batch in moments:
            pairs = zip(total, batch, strict=True)
            total = [a.merge(b) for a, b in pairs] if total else batch
        if not total:
            raise ValueError('whitening needs images, got none')
        self.whitening = self._fitted(total)
        self.by_first_frame = False
        return self.whitening

    def _fitted(self, moments: list[Moments]) -> list[Whitening]:
        return [whitening_of_moments(x, self.shrinkage) for x in moments]

    def grid(
        self, maps: Tensor | Sequence[Tensor], image_size: tuple[int, int]
    ) -> Tensor:
        """Make the grid, whitened if there are statistics."""
        return feature_grid(maps, image_size, **self._options)

    def cells(
        self, maps: Tensor | Sequence[Tensor], image_size: tuple[int, int]
    ) -> CellFeatures:
        """:meth:`grid` of one image, coarse levels at their own size."""
        return cell_features(maps, image_size, **self._options)

    @property
    def _options(self) -> dict[str, Any]:
        return dict(
            levels=self.levels, stride=self.stride, whitening=self.whitening
        )


class ColorReader(FeatureReader):
    """Read colours and a constant as features, optionally whitened.

    Without the constant a cosine would know hues, but not brightness; and
    whitening would take off one that is there before.
    """

    def grid(self, maps: Tensor, image_size: tuple[int, int]) -> Tensor:
        """Colours and constant (N, H / stride, W / stride, 4)."""
        colors = maps if isinstance(maps, Tensor) else maps[0]
        if self.whitening is not None:
            colors = self.whitening[0].apply(colors)
        both = torch.cat([colors, torch.ones_like(colors[:, :1])], dim=1)
        return F.normalize(both).permute(0, 2, 3, 1).contiguous()

    def cells(self, maps: Tensor, image_size: tuple[int, int]) -> CellFeatures:
        """:meth:`grid` of one image: there is no coarse level."""
        return CellFeatures(self.grid(maps, image_size)[0])
