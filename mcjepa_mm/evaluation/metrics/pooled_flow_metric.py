"""What the metrics of optical flow have in common."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from torch import Tensor

from mcjepa_mm.evaluation.functional import endpoint_error_map


class PooledFlowMetric(BaseMetric):
    """Means over groups of pixels, of all samples together.

    Only sums and counts are kept of a sample, so a figure does not depend on
    batches, processes or the sizes of the images. (mmflow's ``EndPointError``
    and ``FlowOutliers`` give the mean of the batches' means, which does.) A
    figure without a pixel in its group is absent.

    A pixel is valid where the ground truth is finite and ``gt_valid_fw``, if
    the sample has it, is not zero. Others count nowhere.
    """

    # the loop already prefixes the task's name
    default_prefix = ''

    @abstractmethod
    def figures(
        self, error: Tensor, speed: Tensor, masks: dict[str, Tensor]
    ) -> dict[str, tuple[Tensor, Tensor]]:
        """What is averaged for every figure, and over which pixels.

        Args:
            error (Tensor): (H, W) float64, end-point error, pixels.
            speed (Tensor): (H, W) float64, length of the true flow, pixels.
            masks (dict[str, Tensor]): (H, W) bool: ``valid``, and where the
                sample has them, ``occluded`` and ``foreground``.

        Returns:
            dict[str, tuple[Tensor, Tensor]]: By the figure's name, values and
            mask, each (H, W).
        """

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Store the sum and the number of pixels of every figure.

        Args:
            data_batch (Any): Not used.
            data_samples (Sequence[dict]): Samples with ``pred_flow_fw`` and
                ``gt_flow_fw``, each ``data`` (2, H, W); optional
                ``gt_valid_fw``, ``gt_occ_fw`` (1 = occluded) and
                ``gt_fg_fw`` (1 = object), each ``data`` (1, H, W).

        Raises:
            KeyError: If a sample lacks prediction or ground truth.
            ValueError: If the sizes of a sample's fields differ.
        """
        for sample in data_samples:
            error, speed, masks = self._measure(sample)
            figures = self.figures(error, speed, masks)
            self.results.append(
                {
                    name: (values[mask].sum().item(), int(mask.sum()))
                    for name, (values, mask) in figures.items()
                }
            )

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Pool the sums of all samples.

        Args:
            results (list[dict]): What :meth:`process` stored.

        Returns:
            dict[str, float]: The figures named in the class's docstring.

        Raises:
            ValueError: If there is no valid pixel.
        """
        names = dict.fromkeys(name for result in results for name in result)
        metrics = {}
        for name in names:
            parts = [result[name] for result in results if name in result]
            total, pixels = map(sum, zip(*parts, strict=True))
            if pixels:
                metrics[name] = total / pixels
        if not metrics:
            raise ValueError(
                f'{type(self).__name__} got {len(results)} samples without a '
                'valid pixel of ground truth; check the data set and its '
                'validity masks'
            )
        return metrics

    def _measure(self, sample: dict) -> tuple[Tensor, Tensor, dict]:
        """Error, speed and masks of a sample, see :meth:`figures`."""
        for key in ('pred_flow_fw', 'gt_flow_fw'):
            if key not in sample:
                raise KeyError(
                    f'{type(self).__name__} needs {key}, the sample has '
                    f'{sorted(sample)}; evaluate on data with flow ground '
                    f'truth, or take {type(self).__name__} out of the '
                    'evaluator'
                )
        pred = sample['pred_flow_fw']['data'].detach().cpu().double()
        gt = sample['gt_flow_fw']['data'].cpu().double()
        try:
            error = endpoint_error_map(pred, gt)
        except ValueError as why:
            where = sample.get('img1_path', 'a sample')
            raise ValueError(f'{where}: {why}') from why
        masks = dict(valid=gt.isfinite().all(dim=0))
        for name, key in (
            ('gt_valid', 'gt_valid_fw'),
            ('occluded', 'gt_occ_fw'),
            ('foreground', 'gt_fg_fw'),
        ):
            if key in sample:
                mask = sample[key]['data'].cpu() != 0
                if mask.shape != (1, *error.shape):
                    raise ValueError(
                        f'{sample.get("img1_path", "a sample")}: expected '
                        f'{key} (1, H, W) = {(1, *error.shape)}, as the flow '
                        f'has, got {tuple(mask.shape)}'
                    )
                masks[name] = mask[0]
        if 'gt_valid' in masks:
            masks['valid'] &= masks.pop('gt_valid')
        return error, endpoint_error_map(torch.zeros_like(gt), gt), masks
