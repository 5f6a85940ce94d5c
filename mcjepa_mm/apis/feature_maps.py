"""PCA visualization of an encoder's feature pyramid."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.device import get_device
from rich.progress import track
from torch.nn import functional as F

from mcjepa_mm.datasets.transforms.image_loading import read_image
from mcjepa_mm.evaluation.frozen.encoder import FrozenEncoder, normalize
from mcjepa_mm.models.backbones import MCJEPAConvNeXt, read_backbone
from mcjepa_mm.utils.image_file import write_image
from mcjepa_mm.visualization.feature_color import (
    FeatureColors,
    features_of,
    fit_colors,
)
from mcjepa_mm.visualization.pyramid_sheet import draw_pyramid_sheet

from .image_inputs import list_images

LARGEST = 256  # short side that larger images are scaled down to, pixels
SHARED_SAMPLE = 16384  # features that shared components are fitted to

STRIDES = (2, 2, 2, 2, 2, 2)
"""Of each level of the encoder to the one before, as pretrained."""


def draw_feature_maps(
    checkpoint: str | os.PathLike,
    inputs: str | os.PathLike | Sequence[str | os.PathLike],
    out_dir: str | os.PathLike,
    *,
    size: int | None = None,
    strides: Sequence[int] = STRIDES,
    shared: bool = False,
    untrained: bool = False,
    device: str | torch.device | None = None,
    show_progress: bool = False,
) -> list[Path]:
    """Draw the pyramid of images in colours, one picture for each image.

    The colours are the first three principal components of a level's
    features. Features of random weights look structured too, because they
    are functions of the image: ``untrained`` shows how much of a picture is
    that.

    Args:
        checkpoint (str | PathLike): Checkpoint with the encoder, of the
            pretraining or of a model with its backbone. It tells the arch.
        inputs (str | PathLike | Sequence): Image files and folders, see
            :func:`~mcjepa_mm.apis.image_inputs.list_images`.
        out_dir (str | PathLike): Folder to write ``NAME.png`` to; made if
            needed. Files that exist are replaced.
        size (int, optional): Short side that images are scaled to, pixels.
            Defaults to None: 256 if it is longer, else as it is.
        strides (Sequence[int]): Stride, 1 or 2, of each of the encoder's six
            steps. Defaults to those of the pretraining.
        shared (bool): Whether all images share the components of a level, so
            that a colour means the same in all of them. They are fitted to a
            random sample, and every image is encoded twice. Defaults to
            False.
        untrained (bool): Whether to add a row of a randomly initialised
            encoder of the same arch. Defaults to False.
        device (str | torch.device, optional): Defaults to None: the GPU if
            there is one.
        show_progress (bool): Whether to draw a progress bar.

    Returns:
        list[Path]: The pictures.

    Raises:
        BadSampleError: If an image is damaged; the pictures before it stay.
        FileNotFoundError: If there is no such checkpoint, image or folder.
        OSError: If a picture cannot be written.
        ValueError: If the checkpoint holds no encoder of colour images,
            there are no images, or size or strides are not possible.

    Example::

        draw_feature_maps('epoch_8.pth', 'photos', 'out', untrained=True)
        # [PosixPath('out/bird.png'), PosixPath('out/dog.png')]
    """
    if size is not None and size < 1:
        raise ValueError(f'size must be at least 1 px, got {size}')
    images = list_images(inputs)
    device = device or get_device()
    name = Path(checkpoint).name
    trained = load_encoder(checkpoint, strides, device)
    encoders = {f'trained: {name}': trained}
    if untrained:
        encoders['untrained: the same arch, random weights'] = load_encoder(
            checkpoint, strides, device, untrained=True
        )
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)

    colors, notes = None, []
    if shared:
        paths = list(images.values())
        colors = _shared_colors(encoders, paths, size, show_progress)
        notes = [
            f'Images: {len(images)} pictures share the components of each '
            'level: a colour means the same in all of them, in the same row.'
        ]
    written = []
    items = track(images.items(), 'Maps', disable=not show_progress)
    for stem, path in items:
        image = fit_image(read_image(path, 'rgb'), size)
        sheet = draw_pyramid_sheet(
            image,
            {title: encode(x, image) for title, x in encoders.items()},
            trained.out_strides,
            colors=colors,
            heading=os.path.basename(path),
            notes=notes,
        )
        written.append(out_dir / f'{stem}.png')
        write_image(written[-1], sheet)
    return written


def load_encoder(
    checkpoint: str | os.PathLike,
    strides: Sequence[int],
    device: str | torch.device,
    *,
    untrained: bool = False,
) -> MCJEPAConvNeXt:
    """The encoder of a checkpoint, or the same arch with seeded weights."""
    found = read_backbone(checkpoint, in_channels=3)
    if not untrained:
        encoder = found.build(checkpoint, strides=tuple(strides))
        return encoder.to(device).eval()
    settings = dict(found.settings, strides=tuple(strides))
    return FrozenEncoder.untrained(settings, seed=0).backbone.to(device)


def fit_image(image: np.ndarray, size: int | None) -> np.ndarray:
    """Scale an image (H, W, 3) so that its short side is ``size`` pixels.

    None means 256 for larger ones, and no change for others.
    """
    short = min(image.shape[:2])
    scale = min(1.0, LARGEST / short) if size is None else size / short
    if scale == 1:
        return image
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    # area does not alias
    mode = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cv2.resize(image, (width, height), interpolation=mode)


@torch.no_grad()
def encode(encoder: MCJEPAConvNeXt, image: np.ndarray) -> list[np.ndarray]:
    """The pyramid of an image (H, W, 3) uint8, RGB, of any size.

    Returns:
        list[np.ndarray]: (C, ceil(H / stride), ceil(W / stride)) float32 for
        each level.
    """
    inputs = normalize(torch.tensor(image).permute(2, 0, 1)[None])
    height, width = image.shape[:2]
    stride = encoder.total_stride
    # its own border, continued: any other would be an edge to be seen
    inputs = F.pad(
        inputs, (0, -width % stride, 0, -height % stride), mode='replicate'
    )
    feats = encoder(inputs.to(next(encoder.parameters()).device))
    return [
        feat[0, :, : -(-height // s), : -(-width // s)].cpu().numpy()
        for feat, s in zip(feats, encoder.out_strides)
    ]


def _shared_colors(
    encoders: Mapping[str, MCJEPAConvNeXt],
    paths: Sequence[str],
    size: int | None,
    show_progress: bool,
) -> dict[str, list[FeatureColors]]:
    """Colors of every level for all images, of each encoder."""
    rng = np.random.default_rng(0)
    most = max(1, SHARED_SAMPLE // len(paths))
    samples: dict[str, list[list]] = {
        title: [[] for _ in encoder.out_strides]
        for title, encoder in encoders.items()
    }
    for path in track(paths, 'Components', disable=not show_progress):
        image = fit_image(read_image(path, 'rgb'), size)
        for title, encoder in encoders.items():
            for sample, feat in zip(samples[title], encode(encoder, image)):
                sample.append(rng.permutation(features_of(feat))[:most])
    return {
        title: [fit_colors(np.concatenate(sample)) for sample in levels]
        for title, levels in samples.items()
    }
