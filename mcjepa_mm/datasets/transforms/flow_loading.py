"""Load and pack frame pairs and flow annotations."""

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.structures import PixelData

from mcjepa_mm.datasets.bad_samples import check_size
from mcjepa_mm.datasets.flow_files import read_flow
from mcjepa_mm.registry import TRANSFORMS

from .image_loading import read_image

_RULE = 'a pair and its ground truth must have one size'


@TRANSFORMS.register_module()
class LoadFlowPair(BaseTransform):
    """Load two frames like mmflow's LoadImageFromFile; refuse damage.

    Required keys: ``img1_path``, ``img2_path``. Added keys: ``img1`` and
    ``img2`` ((H, W, 3) uint8, BGR), ``img_shape`` and ``ori_shape``
    ((H, W)).

    Raises:
        BadSampleError: If a frame cannot be read, or if the two have
            different sizes.
    """

    def transform(self, results: dict) -> dict:
        first, second = results['img1_path'], results['img2_path']
        results['img1'] = read_image(first)
        results['img2'] = read_image(second)
        shape = results['img1'].shape[:2]
        check_size(second, results['img2'].shape[:2], first, shape, _RULE)
        results['img_shape'] = results['ori_shape'] = shape
        return results


@TRANSFORMS.register_module()
class LoadFlowAnnotations(BaseTransform):
    """Load flow and masks; replaces mmflow's LoadAnnotations.

    Files tell their format, so nothing has to say that flow is sparse. What
    mmflow's leaves out is read as well: Sintel's masks of invalid pixels and
    KITTI's ``flow_noc`` and ``obj_map``; and flow that is NaN, truncated or
    not of the frame's size does not pass.

    Keys of paths, each of which may be missing: ``flow_fw_path`` and
    ``flow_bw_path`` (see :func:`read_flow`), ``invalid_path`` and
    ``occ_fw_path`` (Sintel's masks, 255 = invalid and 255 = occluded),
    ``noc_fw_path`` (KITTI's flow without occluded pixels), ``obj_map_path``.
    Required key: ``ori_shape``.

    Added keys, mmflow's where it has one:

    - ``gt_flow_fw``, ``gt_flow_bw``: (H, W, 2) float32, x then y, pixels;
    - ``gt_valid_fw``, ``gt_valid_bw``: (H, W) float32, 1 = valid;
    - ``gt_occ_fw``: (H, W) float32, 1 = occluded in the second frame;
    - ``gt_fg_fw``: (H, W) float32, 1 = a moving object;
    - ``sparse``: whether the flow is KITTI's or HD1K's.

    Args:
        with_masks (bool): Whether to load ``gt_occ_fw`` and ``gt_fg_fw``, by
            which figures are split. Not for training: no transform of mmflow
            takes ``gt_fg_fw`` along, and SpacialTransform leaves the
            occlusions of sparse flow where they were. Defaults to True.

    Raises:
        BadSampleError: If a file cannot be read or is not of the frame's
            size.
    """

    def __init__(self, with_masks: bool = True) -> None:
        self.with_masks = with_masks

    def transform(self, results: dict) -> dict:
        results['sparse'] = False
        for side in ('fw', 'bw'):
            path = results.get(f'flow_{side}_path')
            if path is None:
                continue
            flow, valid = _read_flow(path, results)
            results[f'gt_flow_{side}'] = np.ascontiguousarray(
                flow.transpose(1, 2, 0)
            )
            results[f'gt_valid_{side}'] = valid.astype(np.float32)
            results['sparse'] |= path.lower().endswith('.png')
        if results.get('invalid_path'):
            invalid = _read_labels(results['invalid_path'], results) > 0
            results['gt_valid_fw'][invalid] = 0
        if self.with_masks:
            self._load_masks(results)
        return results

    def _load_masks(self, results: dict) -> None:
        if results.get('occ_fw_path'):
            mask = _read_labels(results['occ_fw_path'], results) > 0
            results['gt_occ_fw'] = mask.astype(np.float32)
        if results.get('noc_fw_path'):
            _, visible = _read_flow(results['noc_fw_path'], results)
            results['gt_occ_fw'] = results['gt_valid_fw'] * ~visible
        if results.get('obj_map_path'):
            mask = _read_labels(results['obj_map_path'], results) > 0
            results['gt_fg_fw'] = mask.astype(np.float32)


@TRANSFORMS.register_module()
class PackFlow(BaseTransform):
    """Pack a frame pair as mmflow's data sample.

    mmflow's PackFlowInputs, and ``gt_fg_fw``. Before it packs, all ground
    truth becomes float32 (mmflow's RandomFlip makes float64 of flow) and
    contiguous (it makes views of masks that torch refuses).

    Returns ``inputs``, (2, 3, H, W) uint8, and ``data_samples``, a
    FlowDataSample of PixelData: ``gt_flow_*`` (2, H, W), ``gt_valid_*``,
    ``gt_occ_fw`` and ``gt_fg_fw`` (1, H, W), float32.

    Raises:
        ValueError: If the ground truth's parts are not of one size, or the
            frame was cropped or mirrored and ``gt_fg_fw`` was not.
    """

    def __init__(self) -> None:
        from mmflow.datasets.transforms import PackFlowInputs

        self.pack = PackFlowInputs()

    def transform(self, results: dict) -> dict:
        keys = [*self.pack.data_keys, 'gt_fg_fw']
        truth = {
            key: np.ascontiguousarray(results[key], np.float32)
            for key in keys
            if results.get(key) is not None
        }
        sizes = {key: array.shape[:2] for key, array in truth.items()}
        moved = 'crop_bbox' in results or any(results.get('flip', ()))
        if len(set(sizes.values())) > 1 or ('gt_fg_fw' in truth and moved):
            raise ValueError(
                f'{results.get("img1_path")}: a transform has moved the '
                f'frames and not all of the ground truth (sizes: {sizes}); '
                'load it by LoadFlowAnnotations(with_masks=False)'
            )
        foreground = truth.pop('gt_fg_fw', None)
        packed = self.pack({**results, **truth})
        if foreground is not None:
            data = PixelData(data=torch.from_numpy(foreground[None]))
            packed['data_samples'].set_field(data, 'gt_fg_fw')
        return packed


def _read_flow(path: str, results: dict) -> tuple[np.ndarray, np.ndarray]:
    """Read flow (2, H, W) and validity (H, W) of the frame's size."""
    flow, valid = read_flow(path)
    _check_size(path, valid, results)
    return flow, valid


def _read_labels(path: str, results: dict) -> np.ndarray:
    """Read a grey image (H, W) of the frame's size."""
    labels = read_image(path)[..., 0]
    _check_size(path, labels, results)
    return labels


def _check_size(path: str, array: np.ndarray, results: dict) -> None:
    frame, shape = results['img1_path'], results['ori_shape']
    check_size(path, array.shape, frame, shape, _RULE)
