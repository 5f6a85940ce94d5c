"""End-point error against the ground truth and against the zero flow."""

from torch import Tensor

from mcjepa_mm.registry import METRICS

from .pooled_flow_metric import PooledFlowMetric


@METRICS.register_module()
class FlowEPE(PooledFlowMetric):
    """End-point error of the forward flow, in pixels.

    Reports ``EPE`` over all valid pixels, ``EPE_visible`` and
    ``EPE_occluded`` where samples hold ``gt_occ_fw`` (1 = occluded) and the
    set has such pixels, ``EPE_zero``, what a flow of zeros would get on the
    same pixels, and ``EPE_ratio = EPE / EPE_zero`` (below 1: better than
    standing still). Means are over the pixels of all samples together, see
    :class:`~mcjepa_mm.evaluation.metrics.pooled_flow_metric.PooledFlowMetric`,
    which also tells which pixels are valid.
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
