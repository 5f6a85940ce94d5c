"""Optical flow metrics, of Sintel and KITTI too."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from torch import Tensor

from mcjepa_mm.evaluation.functional import endpoint_error_map, flow_outliers
from mcjepa_mm.registry import METRICS


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
        """Values and pixel masks of every figure.

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


@METRICS.register_module()
class FlowEPE(PooledFlowMetric):
    """End-point error of the forward flow, in pixels.

    Reports ``EPE`` over all valid pixels, ``EPE_visible`` and
    ``EPE_occluded`` where samples hold ``gt_occ_fw`` (1 = occluded) and the
    set has such pixels, ``EPE_zero``, what a flow of zeros would get on the
    same pixels, and ``EPE_ratio = EPE / EPE_zero`` (below 1: better than
    standing still). Means are over the pixels of all samples together, see
    :class:`PooledFlowMetric`, which also tells which pixels are valid.
    """

    def figures(
        self, error: Tensor, speed: Tensor, masks: dict[str, Tensor]
    ) -> dict[str, tuple[Tensor, Tensor]]:
        valid = masks['valid']
        figures = dict(EPE=(error, valid))
        if 'occluded' in masks:
            occluded = masks['occluded']
            figures['EPE_visible'] = error, valid & ~occluded
            figures['EPE_occluded'] = error, valid & occluded
        # the error of a flow of zeros is the speed
        figures['EPE_zero'] = speed, valid
        return figures

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        metrics = super().compute_metrics(results)
        if metrics['EPE_zero'] > 0:
            metrics['EPE_ratio'] = metrics['EPE'] / metrics['EPE_zero']
        return metrics


@METRICS.register_module()
class SintelFlowMetric(PooledFlowMetric):
    """End-point errors of MPI Sintel's tables, in pixels.

    - ``EPE``: all valid pixels;
    - ``EPE_matched``, ``EPE_unmatched``: those that are visible in both
      frames, and those that are occluded in the second (``gt_occ_fw``);
    - ``EPE_s0-10``, ``EPE_s10-40``, ``EPE_s40+``: those whose true flow is
      shorter than 10 pixels, 10 to 40 pixels, longer than 40 pixels.

    Means are over the pixels of all samples together, as in the benchmark,
    not over images or batches. A figure whose group has no pixel in the
    whole set is absent, as are matched and unmatched without ``gt_occ_fw``.
    Sintel's invalid pixels (``gt_valid_fw`` 0) are left out. The code of RAFT,
    ARFlow, UFlow and SMURF does not read that mask: the EPE that papers print
    is over all pixels, and differs by what the invalid ones change.

    The server evaluates a fixed random subset of the test set's pixels, this
    metric every pixel. Source: Butler et al., A naturalistic open source
    movie for optical flow evaluation, ECCV 2012.
    """

    def figures(
        self, error: Tensor, speed: Tensor, masks: dict[str, Tensor]
    ) -> dict[str, tuple[Tensor, Tensor]]:
        groups = {'EPE': masks['valid']}
        if 'occluded' in masks:
            groups['EPE_matched'] = ~masks['occluded']
            groups['EPE_unmatched'] = masks['occluded']
        groups['EPE_s0-10'] = speed < 10
        groups['EPE_s10-40'] = (speed >= 10) & (speed <= 40)
        groups['EPE_s40+'] = speed > 40
        return {
            name: (error, group & masks['valid'])
            for name, group in groups.items()
        }


@METRICS.register_module()
class KITTIFlowMetric(PooledFlowMetric):
    """End-point errors and outlier rates (Fl) of KITTI.

    ``EPE_*`` is in pixels, ``Fl_*`` the percentage of pixels whose error is
    above 3 pixels and above 5 % of the true flow's length. The pixels are

    - ``occ``: all valid ones, occluded or not: ``EPE_occ``, ``Fl_all_occ``;
    - ``noc``: valid and not occluded, where samples have ``gt_occ_fw``:
      ``EPE_noc``, ``Fl_all_noc``;
    - of both the background ``bg`` and the moving objects ``fg``, where
      samples have ``gt_fg_fw``: ``Fl_bg_occ``, ``Fl_fg_occ``,
      ``Fl_bg_noc``, ``Fl_fg_noc``. KITTI 2012 has no map of objects.

    A figure whose group has no pixel in the whole set is absent. Means are
    over the pixels of all samples together, as in the benchmark's
    development kit for ``Fl``, which has no end-point error. Papers that
    follow RAFT's code average ``EPE`` over the images' means instead; the
    images have different numbers of valid pixels, so theirs differs a little.
    """

    def figures(
        self, error: Tensor, speed: Tensor, masks: dict[str, Tensor]
    ) -> dict[str, tuple[Tensor, Tensor]]:
        wrong = 100 * flow_outliers(error, speed).to(error)
        regions = dict(occ=masks['valid'])
        if 'occluded' in masks:
            regions['noc'] = masks['valid'] & ~masks['occluded']
        figures = {}
        for region, mask in regions.items():
            figures[f'EPE_{region}'] = error, mask
            figures[f'Fl_all_{region}'] = wrong, mask
            if 'foreground' in masks:
                foreground = masks['foreground']
                figures[f'Fl_bg_{region}'] = wrong, mask & ~foreground
                figures[f'Fl_fg_{region}'] = wrong, mask & foreground
        return figures


THRESHOLDS = (2, 3, 4, 5)


@METRICS.register_module()
class KITTI2012FlowMetric(PooledFlowMetric):
    """Outlier rates and end-point errors of KITTI 2012.

    - ``Out_2px_*`` to ``Out_5px_*``: the percentage of pixels whose error is
      above so many pixels. The benchmark ranks by 3. Other than in 2015 an
      error does not have to be above 5 % of the true flow's length as well;
    - ``Avg_*``: the end-point error in pixels.

    ``all`` are all valid pixels, ``noc`` those that are not occluded, where
    samples have ``gt_occ_fw``; a figure whose group has no pixel in the whole
    set is absent. Means are over the pixels of all samples together.

    Source: ``evaluate_flow.cpp`` of the development kit; Geiger et al., Are
    we ready for autonomous driving?, CVPR 2012.
    """

    def figures(
        self, error: Tensor, speed: Tensor, masks: dict[str, Tensor]
    ) -> dict[str, tuple[Tensor, Tensor]]:
        regions = dict(all=masks['valid'])
        if 'occluded' in masks:
            regions['noc'] = masks['valid'] & ~masks['occluded']
        figures = {}
        for region, mask in regions.items():
            for pixels in THRESHOLDS:
                # said the other way round: NaN is wrong
                wrong = 100 * (~(error <= pixels)).to(error)
                figures[f'Out_{pixels}px_{region}'] = wrong, mask
            figures[f'Avg_{region}'] = error, mask
        return figures
