"""The figures of the KITTI 2012 flow benchmark."""

from torch import Tensor

from mcjepa_mm.registry import METRICS

from .pooled_flow_metric import PooledFlowMetric

THRESHOLDS = (2, 3, 4, 5)


@METRICS.register_module()
class KITTI2012FlowMetric(PooledFlowMetric):
    """Share of outliers and end-point error as KITTI 2012 has them.

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
