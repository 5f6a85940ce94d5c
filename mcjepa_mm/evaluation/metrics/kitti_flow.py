"""The figures of the KITTI 2015 flow benchmark."""

from torch import Tensor

from mcjepa_mm.evaluation.functional import flow_outliers
from mcjepa_mm.registry import METRICS

from .pooled_flow_metric import PooledFlowMetric


@METRICS.register_module()
class KITTIFlowMetric(PooledFlowMetric):
    """End-point error and share of outliers as KITTI splits them.

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
