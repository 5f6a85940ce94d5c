"""Label propagation through a video."""

import logging
from collections import deque
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.logging import print_log
from torch import Tensor

from .affinity import propagate_labels
from .cell_features import Features
from .label_maps import labels_to_mask, mask_to_labels, without_undecided


class LabelPropagator:
    """Propagate the labels of a first frame through a video.

    Of DINO's protocol: the context of a frame is the first frame, whose mask
    is given, and the last ``context_frames`` ones with the *soft* labels that
    they got. A frame in which further objects begin stays in the context, as
    the first one does, with its given labels and the soft ones of the others.

    Args:
        context_frames (int): Context frames besides the first one. Defaults
            to 7.
        radius (int, optional): Cells in each direction; None for no limit.
            Defaults to 12.
        topk (int): Cells that vote. Defaults to 5.
        temperature (float): Of their votes. Defaults to 0.1.
        max_memory (int): MiB of temporary tensors. Defaults to 256.

    Raises:
        ValueError: For a number that is out of range.
    """

    def __init__(
        self,
        *,
        context_frames: int = 7,
        radius: int | None = 12,
        topk: int = 5,
        temperature: float = 0.1,
        max_memory: int = 256,
    ) -> None:
        for name, value, least in (
            ('context_frames', context_frames, 0),
            ('radius', radius, 0),
            ('topk', topk, 1),
            ('max_memory', max_memory, 1),
        ):
            if value is not None and value < least:
                raise ValueError(
                    f'{name} must be at least {least}, got {value}'
                )
        if temperature <= 0:
            raise ValueError(
                f'temperature must be positive, got {temperature}'
            )
        self.context_frames = context_frames
        self.options: dict[str, Any] = dict(
            radius=radius,
            topk=topk,
            temperature=temperature,
            max_memory=max_memory,
        )
        # the first frame, and those in which further objects begin
        self._given: list[tuple[Features, Tensor]] = []
        self._last: deque[tuple[Features, Tensor]] = deque()
        self._numbers = np.zeros(1, np.uint8)
        self._mask_size = (0, 0)

    def start(self, feat: Features, mask: np.ndarray) -> np.ndarray:
        """Reset the memory and start with a first frame.

        Args:
            feat (Tensor | CellFeatures): (h, w, C), features of length 1.
            mask (np.ndarray): (H, W) uint8, object numbers; 0 and 255 are
                background.

        Returns:
            np.ndarray: (H, W) uint8, the mask without its 255.
        """
        labels, self._numbers = _labels_of(mask, feat)
        self._mask_size = mask.shape
        self._given = [(feat, labels)]
        self._last = deque(maxlen=self.context_frames)
        return without_undecided(mask)

    def step(
        self,
        feat: Features,
        image_size: tuple[int, int],
        begin: np.ndarray | None = None,
    ) -> np.ndarray:
        """Propagate the labels to the next frame.

        Args:
            feat (Tensor | CellFeatures): (h, w, C), features of length 1.
            image_size (tuple[int, int]): Height and width of the frame that
                they are of.
            begin (np.ndarray, optional): (H, W) uint8, further objects, which
                begin in this frame, with new numbers. They cover others.

        Returns:
            np.ndarray: (H, W) uint8, object numbers, of the first mask's
            size.

        Raises:
            RuntimeError: Before :meth:`start`.
            ValueError: If the frame's features differ in shape from the first
                one's.
        """
        if not self._given:
            raise RuntimeError('there is no first frame: call start() before')
        first = self._given[0][0].shape
        if feat.shape != first:
            raise ValueError(
                'the frames of a video must have one size: expected features '
                f'{tuple(first)}, as of the first frame, got '
                f'{tuple(feat.shape)}'
            )
        keys, labels = zip(*self._given, *self._last)
        soft = propagate_labels(feat, keys, labels, **self.options)
        mask = labels_to_mask(soft, self._numbers, image_size, self._mask_size)
        if begin is None:
            self._last.append((feat, soft))
            return mask
        self._add(feat, soft, begin)
        return np.where(without_undecided(begin), begin, mask)

    def _add(self, feat: Features, soft: Tensor, begin: np.ndarray) -> None:
        """Add objects that begin in a frame, with (h, w, M) of the others."""
        labels, numbers = _labels_of(begin, feat)
        labels = labels[..., 1:]
        more = (0, labels.shape[2])  # columns, of no cell before
        self._given = [(f, F.pad(x, more)) for f, x in self._given]
        self._last = deque(
            ((f, F.pad(x, more)) for f, x in self._last), self._last.maxlen
        )
        others = soft * (1 - labels.sum(dim=2, keepdim=True))
        self._given.append((feat, torch.cat([others, labels], dim=2)))
        self._numbers = np.concatenate([self._numbers, numbers[1:]])


def _labels_of(mask: np.ndarray, feat: Features) -> tuple[Tensor, np.ndarray]:
    """Labels and numbers of a given mask; warns of objects without a cell."""
    labels, numbers = mask_to_labels(mask, tuple(feat.shape[:2]))
    lost = numbers[labels.sum(dim=(0, 1)).numpy() == 0]
    if len(lost):
        print_log(
            f'objects {lost.tolist()} of a given mask lie between the '
            f'cells of a grid of {feat.shape[0]} x {feat.shape[1]} and '
            'cannot be followed; a smaller stride or larger frames show '
            'them',
            logger='current',
            level=logging.WARNING,
        )
    return labels.to(feat.device), numbers
