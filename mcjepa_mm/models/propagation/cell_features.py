"""Features of the cells of a frame, coarse levels at their own size."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class CoarseLevel(NamedTuple):
    """A level that is interpolated to the cells where it is needed.

    Attributes:
        map (Tensor): (h, w, C), features of length 1.
        rows (Tensor): (H, h), weights of its rows in those of the grid.
        cols (Tensor): (W, w), the same of its columns.
    """

    map: Tensor
    rows: Tensor
    cols: Tensor


class CellFeatures(NamedTuple):
    """Features of length 1 of the cells of a frame.

    A cell has the channels of ``fine``, then those of each coarse level,
    interpolated and multiplied by ``scale``.

    Attributes:
        fine (Tensor): (H, W, C), the part that is there for each cell.
        coarse (Sequence[CoarseLevel]): The other levels.
        scale (Tensor): (H, W) float32; empty without other levels.
    """

    fine: Tensor
    coarse: Sequence[CoarseLevel] = ()
    scale: Tensor = torch.empty(0, 0)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Rows, columns and channels of all levels."""
        height, width, channels = self.fine.shape
        more = sum(level.map.shape[2] for level in self.coarse)
        return height, width, channels + more

    @property
    def device(self) -> torch.device:
        """Where they are."""
        return self.fine.device

    def to(self, dtype: torch.dtype) -> 'CellFeatures':
        """The same in another precision."""
        return self._replace(
            fine=self.fine.to(dtype),
            coarse=[
                CoarseLevel(*(x.to(dtype) for x in level))
                for level in self.coarse
            ],
        )


Features = Tensor | CellFeatures
"""Of the cells of a frame: (H, W, C), or with coarse levels apart."""
