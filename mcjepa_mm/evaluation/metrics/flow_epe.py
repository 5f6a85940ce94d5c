"""End-point error against the ground truth and against the zero flow."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.evaluator import BaseMetric

from mcjepa_mm.evaluation.functional import endpoint_error_map
from mcjepa_mm.registry import METRICS


@METRICS.register_module()
class FlowEPE(BaseMetric):
    """End-point error of the forward flow, in pixels.

    Reports ``EPE`` over all valid pixels, ``EPE_visible`` and
    ``EPE_occluded`` where samples hold ``gt_occ_fw`` (1 = occluded) and the
    set has such pixels, ``EPE_zero``, what a flow of zeros would get on the
    same pixels, and ``EPE_ratio = EPE / EPE_zero`` (below 1: better than
    standing still). Means are over the pixels of all samples together.

    A pixel is valid where the ground truth is finite and ``gt_valid_fw``,
    if the sample has it, is not zero.
    """

    # the loop already prefixes the task's name
    default_prefix = ''

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Store sums of errors and counts of pixels of every sample.

        Args:
            data_batch (Any): Not used.
            data_samples (Sequence[dict]): Samples with ``pred_flow_fw`` and
                ``gt_flow_fw``, each ``data`` (2, H, W); optional
                ``gt_occ_fw`` and ``gt_valid_fw``, each ``data`` (1, H, W).

        Raises:
            KeyError: If a sample lacks prediction or ground truth.
        """
        for sample in data_samples:
            for key in ('pred_flow_fw', 'gt_flow_fw'):
                if key not in sample:
                    raise KeyError(
                        f'FlowEPE needs {key}, the sample has '
                        f'{sorted(sample)}; evaluate on data with flow '
                        'ground truth, or take FlowEPE out of the evaluator'
                    )
            pred = sample['pred_flow_fw']['data'].detach().cpu().double()
            gt = sample['gt_flow_fw']['data'].cpu().double()
            valid = gt.isfinite().all(dim=0)
            if 'gt_valid_fw' in sample:
                valid &= sample['gt_valid_fw']['data'].cpu()[0] != 0
            error = endpoint_error_map(pred, gt)
            zero = endpoint_error_map(torch.zeros_like(gt), gt)
            masks = dict(all=valid)
            if 'gt_occ_fw' in sample:
                occluded = sample['gt_occ_fw']['data'].cpu()[0] != 0
                masks['visible'] = valid & ~occluded
                masks['occluded'] = valid & occluded
            result = dict(zero=zero[valid].sum().item())
            for name, mask in masks.items():
                result[f'sum_{name}'] = error[mask].sum().item()
                result[f'num_{name}'] = int(mask.sum())
            self.results.append(result)

    def compute_metrics(self, results: list[dict]) -> dict:
        """Pool the sums of all samples.

        Args:
            results (list[dict]): What :meth:`process` stored.

        Returns:
            dict: The figures named in the class's docstring.

        Raises:
            ValueError: If there is no valid pixel.
        """

        def total(key: str) -> float:
            return sum(result.get(key, 0) for result in results)

        pixels = total('num_all')
        if pixels == 0:
            raise ValueError(
                f'FlowEPE got {len(results)} samples without a '
                'valid pixel of ground truth; check the data '
                'set and its validity masks'
            )
        metrics = dict(EPE=total('sum_all') / pixels)
        for name in ('visible', 'occluded'):
            if total(f'num_{name}'):
                metrics[f'EPE_{name}'] = total(f'sum_{name}') / total(
                    f'num_{name}'
                )
        metrics['EPE_zero'] = total('zero') / pixels
        if metrics['EPE_zero'] > 0:
            metrics['EPE_ratio'] = metrics['EPE'] / metrics['EPE_zero']
        return metrics
