"""Base class of metrics of object masks in videos."""

import sys
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.evaluator import BaseMetric


class SequenceMetric(BaseMetric):
    """Base class of metrics over whole sequences, frame by frame.

    Subclasses store one result per sequence, when its last frame has come.
    Nothing else of a sequence has to be kept, or to go between processes.
    """

    # the loop already prefixes the task's name
    default_prefix = ''

    def __init__(
        self, collect_device: str = 'cpu', prefix: str | None = None
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self._sequence = ''
        self._num_frames = 0
        self._next = 0  # index of the frame that is due

    @abstractmethod
    def process_frame(self, sample: dict, data_batch: Any, i: int) -> None:
        """Process the next frame of a sequence.

        Args:
            sample (dict): See :meth:`process`.
            data_batch (Any): The batch from which it was predicted.
            i (int): Its place among the batch's samples.
        """

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Process frames.

        Args:
            data_batch (Any): The batch from which they were predicted.
            data_samples (Sequence[dict]): Samples with ``sequence``,
                ``frame_index``, ``num_frames`` and what
                :meth:`process_frame` needs.

        Raises:
            KeyError: If a sample lacks one of them.
            ValueError: If frames are left out or come in another order, or a
                mask is not of its frame's size.
        """
        for i, sample in enumerate(data_samples):
            self._follow(sample)
            self.process_frame(sample, data_batch, i)

    def evaluate(self, size: int) -> dict:
        """Compute the metrics, see :class:`mmengine.evaluator.BaseMetric`.

        Args:
            size (int): Not used. It is there to cut off the results of
                samples that came twice; of a sequence that did, subclasses
                know by its name.

        Returns:
            dict: The figures by their names.

        Raises:
            ValueError: If the last sequence is not complete.
        """
        if self._next:
            raise ValueError(
                f'{type(self).__name__}: {self._sequence!r} ended after '
                f'{self._next} of its {self._num_frames} frames; let '
                'SequenceSampler be the sampler of the dataloader, and let '
                'the loop run through it'
            )
        return super().evaluate(sys.maxsize)

    def require(self, sample: dict, key: str, hint: str) -> Any:
        """Return a sample's value of a key.

        Args:
            sample (dict): See :meth:`process`.
            key (str): The key.
            hint (str): What to do where there is none.

        Returns:
            Any: Its value.

        Raises:
            KeyError: If there is none.
        """
        if key not in sample:
            raise KeyError(
                f'{self.where(sample)}: {type(self).__name__} needs {key}, '
                f'the sample has {sorted(sample)}; {hint}'
            )
        return sample[key]

    def objects_of(
        self, sample: dict, key: str, size: Sequence[int] | None, hint: str
    ) -> np.ndarray:
        """Return the object numbers of a frame.

        Args:
            sample (dict): See :meth:`process`.
            key (str): 'gt_objects' or 'pred_objects', each ``data``
                (1, H, W) uint8.
            size (Sequence[int], optional): H and W, if they are known.
            hint (str): What to do where there are none.

        Returns:
            np.ndarray: (H, W) uint8.

        Raises:
            KeyError: If there are none.
            ValueError: If they are of another size or kind.
        """
        objects = torch.as_tensor(self.require(sample, key, hint)['data'])
        size = tuple(objects.shape[1:] if size is None else size[:2])
        if (
            objects.shape != (1, *size)
            or len(size) != 2
            or objects.dtype != torch.uint8
        ):
            raise ValueError(
                f'{self.where(sample)}: expected {key} (1, H, W) uint8, H and '
                f"W the frame's own {size}, got {tuple(objects.shape)} "
                f'{objects.dtype}'
            )
        return objects[0].cpu().numpy()

    @staticmethod
    def where(sample: dict) -> str:
        """Sequence and frame of a sample, for messages."""
        sequence, index = sample.get('sequence'), sample.get('frame_index')
        return f'{sequence!r}, frame {index}'

    def _follow(self, sample: dict) -> None:
        """Check that a frame is the next one."""
        name = type(self).__name__
        keys = 'sequence', 'frame_index', 'num_frames'
        for key in keys:
            self.require(sample, key, 'it evaluates the frames of videos')
        if not self._next:
            self._sequence = sample['sequence']
            self._num_frames = sample['num_frames']
        due = self._sequence, self._next, self._num_frames
        came = tuple(sample[key] for key in keys)
        if came != due:
            raise ValueError(
                f'{name}: frame {due[1]} of the {due[2]} of {due[0]!r} is '
                f'due, got frame {came[1]} of the {came[2]} of {came[0]!r}; '
                'frames must come whole sequence by sequence: let '
                'SequenceSampler be the sampler of the dataloader'
            )
        self._next += 1
        if self._next == self._num_frames:
            self._next = 0
