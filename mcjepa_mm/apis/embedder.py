"""Feature vectors and maps of images."""

import os
from collections.abc import Sequence

import numpy as np
import torch
from mmengine.device import get_device

from mcjepa_mm.datasets.transforms.image_loading import read_image

from .feature_maps import STRIDES, encode, fit_image, load_encoder

Picture = str | os.PathLike | np.ndarray


class Embedder:
    """Vectors and maps of one level of an encoder's pyramid.

    Args:
        weights (str | PathLike): Checkpoint with the encoder, of the
            pretraining or of a model with its backbone. It tells the arch.
        level (int, optional): From 0 (stride 2) to 5 (stride 64). Defaults
            to None: the coarsest, whose mean the content task learns by.
        size (int, optional): Short side that images are scaled to, pixels.
            Defaults to None: 256 if it is longer, else as it is.
        device (str | torch.device, optional): Defaults to None: the GPU if
            there is one.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        ValueError: If it holds no encoder of colour images, or there is no
            such level or size.

    Example::

        embedder = Embedder('epoch_8.pth')
        embedder('dog.jpg').shape
        # (224,)
        embedder(['dog.jpg', 'cat.jpg']).shape
        # (2, 224)
    """

    def __init__(
        self,
        weights: str | os.PathLike,
        *,
        level: int | None = None,
        size: int | None = None,
        device: str | torch.device | None = None,
    ) -> None:
        if size is not None and size < 1:
            raise ValueError(f'size must be at least 1 px, got {size}')
        self._encoder = load_encoder(weights, STRIDES, device or get_device())
        coarsest = len(self._encoder.out_strides) - 1
        self.level = coarsest if level is None else level
        self.size = size
        if not 0 <= self.level <= coarsest:
            raise ValueError(
                f'expected a level from 0, the finest, to {coarsest}, got '
                f'{level}'
            )

    def __call__(self, images: Picture | Sequence[Picture]) -> np.ndarray:
        """Spatial means of the level.

        Args:
            images (str | PathLike | np.ndarray | Sequence): An image, by its
                file or as (H, W, 3) uint8, RGB, of any size; or a list.

        Returns:
            np.ndarray: (C,) float32 of an image, (N, C) of a list.

        Raises:
            BadSampleError: If a file is missing, damaged or no image.
            ValueError: If an array is no image, or a list is empty.
        """
        if isinstance(images, Picture):
            return self.maps(images).mean(axis=(1, 2))
        if not images:
            raise ValueError('expected at least one image, got none')
        return np.stack([self(image) for image in images])

    def maps(self, image: Picture) -> np.ndarray:
        """The level itself.

        Args:
            image (str | PathLike | np.ndarray): As for a call.

        Returns:
            np.ndarray: (C, ceil(H / stride), ceil(W / stride)) float32.

        Raises:
            BadSampleError, ValueError: As a call.
        """
        if not isinstance(image, np.ndarray):
            path = os.path.expanduser(os.fspath(image))
            image = read_image(path, 'rgb')
        if image.dtype != np.uint8 or image.shape[2:] != (3,):
            raise ValueError(
                'an image must be (H, W, 3) uint8, RGB, got '
                f'{image.shape} {image.dtype}'
            )
        # torch takes no array that is flipped
        image = fit_image(np.ascontiguousarray(image), self.size)
        return encode(self._encoder, image)[self.level]
