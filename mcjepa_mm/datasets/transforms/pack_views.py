import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.structures import BaseDataElement

from mcjepa_mm.registry import TRANSFORMS


@TRANSFORMS.register_module()
class PackViews(BaseTransform):
    """Pack the views of a pretext task into a sample.

    ``results['img']`` is a list of views, as mmpretrain's ``MultiView`` and
    ``FramePairs`` leave it, or one picture. Views are (H, W, 3) uint8, RGB,
    of one size.

    Returns ``inputs``, (V, 3, H, W) uint8, and ``data_samples``, an mmengine
    BaseDataElement with ``gt_label``, (1, ) int64, where there is a label,
    and meta information that says where the views are from.
    """

    META_KEYS = (
        'sample_idx',
        'img_path',
        'frame_indices',
        'ori_shape',
        'img_shape',
    )

    def transform(self, results: dict) -> dict:
        views = results['img']
        views = views if isinstance(views, list) else [views]
        views = np.stack(views).transpose(0, 3, 1, 2)
        meta = {key: results[key] for key in self.META_KEYS if key in results}
        sample = BaseDataElement(metainfo=meta)
        if 'gt_label' in results:
            label = torch.tensor([results['gt_label']])
            sample.set_field(label, 'gt_label')
        return dict(
            inputs=torch.from_numpy(np.ascontiguousarray(views)),
            data_samples=sample,
        )
