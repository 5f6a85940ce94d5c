"""The figures of the MPI Sintel benchmark."""

from torch import Tensor

from mcjepa_mm.registry import METRICS

from .pooled_flow_metric import PooledFlowMetric


@METRICS.register_module()
class SintelFlowMetric(PooledFlowMetric):
    """End-point error as the tables of MPI Sintel split it, in pixels.

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
