"""Fit the stem of MCJEPAConvNeXt to that of a published ConvNeXt.

ConvNeXt has one convolution of stride 4 and a layer norm, MCJEPAConvNeXt three
convolutions of stride 2, each beside a layer norm: what the one computes of an
image of half the size has the grid of the other's result. So that is the
target, and behind it the stages compute on their strides of 8 to 64 what they
were trained to compute on strides of 4 to 32.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.model import initialize
from torch import Tensor, nn

from mcjepa_mm.datasets.clips import IMAGE_SUFFIXES, find_images
from mcjepa_mm.datasets.transforms.image_loading import read_image
from mcjepa_mm.evaluation.frozen.encoder import normalize
from mcjepa_mm.models.backbones.convnext import INIT_CFG
from mcjepa_mm.models.backbones.layers import LayerNorm2d
from mcjepa_mm.models.backbones.split_stem import SplitStem

from .feature_maps import fit_image
from .key_names import rename

CROP = 64  # pixels
CROPS = 512  # an eighth of them is held out
STEPS, BATCH, RATE = 300, 32, 1e-2
RIDGE = 1e-6  # in parts of the mean square of a feature


@dataclass(frozen=True)
class StemFit:
    """A fitted stem, and how near it comes on images that were held out.

    Attributes:
        state_dict (dict[str, Tensor]): Weights by MCJEPAConvNeXt's names.
        error (float): Root of the squared distance to the original, over all
            channels and cells, divided by that of the best constant: 0 is the
            same, 1 as far as the mean.
        random_error (float): That of the stem before it was fitted.
        images (int): Number of images that crops are of.
    """

    state_dict: dict[str, Tensor]
    error: float
    random_error: float
    images: int


def fit_stem(
    original: Mapping[str, Tensor],
    folder: str | os.PathLike,
    *,
    seed: int = 0,
) -> StemFit:
    """Fit the stem to the output of a ConvNeXt's stem on one's own images.

    The last convolution is solved by ridge regression, all layers go on from
    there by 300 steps of Adam on crops of 64 pixels, and the last one is
    solved again. The same seed, images and number of threads give the same
    weights.

    Args:
        original (Mapping[str, Tensor]): Weights ``0.weight``, ``0.bias`` of
            the convolution and ``1.weight``, ``1.bias`` of the layer norm.
        folder (str | PathLike): Images, searched at any depth. Short sides
            above 256 pixels are scaled down to that.
        seed (int): Of the random weights, and of the crops.

    Returns:
        StemFit: See there.

    Raises:
        BadSampleError: If an image is damaged.
        FileNotFoundError: If there is no such folder.
        ValueError: If the weights are another kind of stem, or there are
            fewer than two images.
    """
    target = _build_original(original)
    images, count = _read_crops(folder, seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        stem = SplitStem(len(original['0.bias']))
        initialize(stem, INIT_CFG)
        with torch.no_grad():
            goals = target(F.avg_pool2d(images, 2))
        held_out = len(images) // 8
        random_error = _error(stem, images[:held_out], goals[:held_out])
        seen = images[held_out:], goals[held_out:]
        _solve_last(stem, *seen)
        _descend(stem, *seen)
        _solve_last(stem, *seen)
    error = _error(stem, images[:held_out], goals[:held_out])
    dtype = original['0.weight'].dtype
    weights = {
        str(rename(f'stem.{key}', 'timm', 'mcjepa')): value.to(dtype)
        for key, value in stem.state_dict().items()
    }
    return StemFit(weights, error, random_error, count)


def _build_original(weights: Mapping[str, Tensor]) -> nn.Sequential:
    """ConvNeXt's stem with these weights."""
    shapes = {key: tuple(value.shape) for key, value in weights.items()}
    channels = shapes.get('0.bias', (0,))[0]
    stem = nn.Sequential(
        nn.Conv2d(3, channels, 4, stride=4), LayerNorm2d(channels, eps=1e-6)
    )
    expected = {k: tuple(x.shape) for k, x in stem.state_dict().items()}
    if shapes != expected:
        raise ValueError(
            'a stem can be fitted to one convolution of 4 x 4 pixels, stride '
            f'4, and a layer norm: expected weights of {expected}, got '
            f'{shapes}'
        )
    stem.load_state_dict(weights)
    return stem


def _read_crops(folder: str | os.PathLike, seed: int) -> tuple[Tensor, int]:
    """Crops (N, 3, 64, 64), normalised, and the number of their images.

    The first eighth of them is of other images than the rest.
    """
    folder = os.path.expanduser(os.fspath(folder))
    if not os.path.isdir(folder):
        raise FileNotFoundError(f'there is no folder {folder!r} of images')
    paths = find_images(folder, recursive=True)
    if len(paths) < 2:
        raise ValueError(
            f'the folder {folder!r} holds {len(paths)} images '
            f'({IMAGE_SUFFIXES}) at any depth; fitting a stem takes at least '
            '2, of which one is held out'
        )
    rng = np.random.default_rng(seed)
    paths = [paths[i] for i in rng.permutation(len(paths))[:CROPS]]
    count, held_out = len(paths), max(1, len(paths) // 8)
    of_images = np.concatenate(
        [
            np.arange(CROPS // 8) * held_out // (CROPS // 8),
            held_out
            + np.arange(CROPS - CROPS // 8)
            * (count - held_out)
            // (CROPS - CROPS // 8),
        ]
    )
    crops = []
    for i, number in zip(*np.unique(of_images, return_counts=True)):
        image = fit_image(read_image(paths[i], 'rgb'), None)
        image = fit_image(image, max(CROP, min(image.shape[:2])))
        for _ in range(number):
            top, left = (rng.integers(x - CROP + 1) for x in image.shape[:2])
            crops.append(image[top : top + CROP, left : left + CROP])
    images = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2)
    return normalize(images), count


@torch.no_grad()
def _solve_last(stem: SplitStem, images: Tensor, goals: Tensor) -> None:
    """Set the last convolution to the ridge regression onto the goals."""
    norm, conv = stem[2]
    feats = norm(stem[1](stem[0](images)))
    x = F.unfold(feats, 2, stride=2).movedim(1, 2).flatten(0, 1).double()
    x = F.pad(x, (0, 1), value=1.0)
    y = goals.flatten(2).movedim(1, 2).flatten(0, 1).double()
    gram = x.T @ x
    gram.diagonal().add_(RIDGE * gram.diagonal().mean())
    weight = torch.linalg.solve(gram, x.T @ y)
    conv.weight.copy_(weight[:-1].T.view_as(conv.weight))
    conv.bias.copy_(weight[-1])


def _descend(stem: SplitStem, images: Tensor, goals: Tensor) -> None:
    """Bring all layers nearer to the goals."""
    optimizer = torch.optim.Adam(stem.parameters(), RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, RATE, total_steps=STEPS, pct_start=0.1
    )
    for _ in range(STEPS):
        batch = torch.randint(len(images), (BATCH,))
        loss = F.mse_loss(stem(images[batch]), goals[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


@torch.no_grad()
def _error(stem: SplitStem, images: Tensor, goals: Tensor) -> float:
    spread = goals - goals.mean((0, 2, 3), keepdim=True)
    distance = (stem(images) - goals).square().sum()
    return float((distance / spread.square().sum()).sqrt())
