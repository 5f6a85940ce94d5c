"""Accuracy of nearest-neighbour matches of cells between frames."""

import torch
import torch.nn.functional as F
from torch import Tensor


def nearest_cells(
    source: Tensor, target: Tensor, mean: Tensor | float = 0.0
) -> Tensor:
    """Nearest target of each source by centred cosine similarity.

    Args:
        source (Tensor): (M, C), features of cells.
        target (Tensor): (K, C).
        mean (Tensor | float): (C,), what is taken off both.

    Returns:
        Tensor: (M,) int64, indices into ``target``.
    """
    source, target = (
        F.normalize(x.double() - mean, dim=1) for x in (source, target)
    )
    return (source @ target.T).argmax(dim=1)


def cell_labels(mask: Tensor, stride: int) -> Tensor:
    """The label that covers most of each cell.

    Args:
        mask (Tensor): (H, W), integers from 0; H and W are multiples of the
            stride.
        stride (int): Side of a cell, pixels.

    Returns:
        Tensor: (H / stride * W / stride,) int64, row by row; the smallest of
        labels that cover alike.
    """
    planes = F.one_hot(mask.long()).permute(2, 0, 1).float()
    return F.avg_pool2d(planes, stride).flatten(1).argmax(dim=0)


def same_label(
    nearest: Tensor, labels: Tensor, target_labels: Tensor
) -> tuple[Tensor, Tensor]:
    """Whether cells and their nearest cells lie on the same object.

    Background (0) is left out, and so are objects without a cell in the
    target.

    Args:
        nearest (Tensor): (M,), see :func:`nearest_cells`.
        labels (Tensor): (M,), of the sources.
        target_labels (Tensor): (K,).

    Returns:
        tuple[Tensor]: Of the cells that count, (M',) bool, whether they do,
        and (M',) float, the chance that a random target would.
    """
    share = (labels[:, None] == target_labels).double().mean(dim=1)
    counts = (labels > 0) & (share > 0)
    return (target_labels[nearest] == labels)[counts], share[counts]


def true_places(
    flow: Tensor, occluded: Tensor, stride: int
) -> tuple[Tensor, Tensor]:
    """Target coordinates of each cell's centre.

    Args:
        flow (Tensor): (2, H, W), x then y, pixels.
        occluded (Tensor): (H, W) bool.
        stride (int): Side of a cell, pixels.

    Returns:
        tuple[Tensor]: (M, 2), x then y, in cells, the middle of the first
        cell being 0, and (M,) bool, whether it is seen there; M cells row by
        row.
    """
    pixels = slice(stride // 2, None, stride)
    flow = flow[:, pixels, pixels].double()
    rows, columns = flow.shape[1:]
    y, x = torch.meshgrid(
        *(
            stride * torch.arange(n, dtype=flow.dtype) + stride // 2
            for n in (rows, columns)
        ),
        indexing='ij',
    )
    places = (torch.stack([x, y]) + flow - (stride - 1) / 2) / stride
    return places.flatten(1).T, ~occluded[pixels, pixels].flatten()


def right_place(
    nearest: Tensor, places: Tensor, size: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """Whether the nearest cells are within one of the true places (PCK).

    Args:
        nearest (Tensor): (M,), indices into cells row by row.
        places (Tensor): (M, 2), see :func:`true_places`.
        size (tuple[int, int]): Rows and columns of the target.

    Returns:
        tuple[Tensor]: (M,) bool, whether they are, and (M,) float, the chance
        that a random target would be.
    """
    y, x = torch.meshgrid(*map(torch.arange, size), indexing='ij')
    cells = torch.stack([x, y]).flatten(1).T.to(places)
    # rounding must not decide about cells that are just as far
    near = (
        torch.cdist(places, cells, compute_mode='donot_use_mm_for_euclid_dist')
        <= 1 + 1e-6
    )
    hits = near.gather(1, nearest[:, None])[:, 0]
    return hits, near.double().mean(dim=1)
