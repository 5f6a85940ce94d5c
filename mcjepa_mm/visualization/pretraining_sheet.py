"""Contact sheet of flow and features during pretraining."""

from collections.abc import Sequence
from itertools import compress
from typing import Any

import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from mmengine.model import BaseModel, is_model_wrapper

from .contact_sheet import add_footer, contact_sheet
from .feature_color import features_to_rgb
from .flow_color import flow_legend, flow_to_rgb

_TITLES = (
    'frame t',
    'frame t+1',
    'predicted flow',
    'true flow',
    't+1 warped to t',
    'predicted occlusion',
    'features of t (PCA)',
)


def warp_to_first(frame: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """Sample frame t + 1 at x + flow(x), on frame t's grid.

    Args:
        frame (np.ndarray): (H, W, 3) uint8, frame t + 1.
        flow (np.ndarray): (2, H, W), x then y, pixels, from t to t + 1.

    Returns:
        np.ndarray: (H, W, 3) uint8; grey where x + flow(x) is outside.
    """
    import cv2

    height, width = frame.shape[:2]
    y, x = np.mgrid[:height, :width]
    x, y = (np.stack([x, y]) + np.nan_to_num(flow)).astype(np.float32)
    return cv2.remap(
        frame,
        x,
        y,
        interpolation=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(128, 128, 128),
    )


def _look(
    model: BaseModel, sample: dict, task: str, feature_level: int
) -> dict[str, Any]:
    """Predict one sample and gather all that is drawn, as numpy arrays."""
    views = sample['inputs']
    if not isinstance(views, torch.Tensor):
        views = torch.stack(list(views))
    if views.shape[0] != 2:
        raise ValueError(
            f'expected a frame pair (2, 3, H, W) of task '
            f'{task!r}, got inputs {tuple(views.shape)}'
        )
    # predictions are written into the data samples: not into the caller's
    batch = {
        task: pseudo_collate(
            [
                dict(
                    inputs=sample['inputs'],
                    data_samples=sample['data_samples'].clone(),
                )
            ]
        )
    }
    prepared = model.data_preprocessor(batch, False)
    feats = model.backbone(prepared['inputs'][task].flatten(0, 1))
    if not -len(feats) <= feature_level < len(feats):
        raise ValueError(
            f'feature_level is {feature_level}, the backbone '
            f'gives {len(feats)} levels'
        )
    (result,) = model(**prepared, mode='predict')

    def field(name: str) -> np.ndarray | None:
        if name not in result:
            return None
        return getattr(result, name).data.detach().float().cpu().numpy()

    frames = views.permute(0, 2, 3, 1).cpu().numpy()
    return dict(
        frames=np.ascontiguousarray(frames),
        pred=field('pred_flow_fw'),
        occluded=field('pred_occ_fw'),
        gt=field('gt_flow_fw'),
        gt_occluded=field('gt_occ_fw'),
        feat=feats[feature_level][0].detach().float().cpu().numpy(),
    )


def _row(
    look: dict[str, Any], max_flow: float
) -> tuple[list[np.ndarray | None], list[str]]:
    """Pictures and captions of one sample, ground truth last but three."""
    first, second = look['frames']
    pred, gt, occluded = look['pred'], look['gt'], look['occluded']
    warped = warp_to_first(second, pred)

    def difference(image: np.ndarray) -> float:
        return np.abs(image.astype(float) - first).mean()

    pred_text = f'longest {np.hypot(*pred).max():.1f} px'
    gt_picture, gt_text = None, 'not known'
    if gt is not None:
        known = np.isfinite(gt).all(axis=0)
        error = np.hypot(*(pred - gt))[known].mean()
        length = np.hypot(*gt)[known]
        pred_text = f'EPE {error:.2f} px'
        gt_picture = flow_to_rgb(gt, max_flow)
        gt_text = f'zero flow: EPE {length.mean():.2f} px'
    occluded_text = f'{100 * occluded.mean():.0f} %'
    if look['gt_occluded'] is not None:
        truth = 100 * (look['gt_occluded'] != 0).mean()
        occluded_text += f' (truth {truth:.0f} %)'
    grey = np.clip(255 * occluded[0], 0, 255).astype(np.uint8)
    pictures = [
        first,
        second,
        flow_to_rgb(pred, max_flow),
        gt_picture,
        warped,
        np.repeat(grey[..., None], 3, axis=2),
        features_to_rgb(look['feat']),
    ]
    height, width = first.shape[:2]
    captions = [
        f'{width} x {height} px',
        f'differs by {difference(second):.1f} / 255',
        pred_text,
        gt_text,
        f'differs by {difference(warped):.1f} / 255',
        occluded_text,
        '{} channels, {} x {}'.format(
            look['feat'].shape[0], *look['feat'].shape[:0:-1]
        ),
    ]
    return pictures, captions


def _scale(looks: Sequence[dict[str, Any]]) -> float:
    """One length for full colour: of the truth, where there is any."""
    flows = [x['gt'] for x in looks if x['gt'] is not None]
    flows = flows or [x['pred'] for x in looks]
    lengths = [np.hypot(*flow) for flow in flows]
    lengths = [x[np.isfinite(x)] for x in lengths]
    # a percentile: one wild vector must not bleach the others. At least a
    # pixel: the noise of an untrained estimator is to look like no motion
    return max(1.0, *(np.percentile(x, 99) for x in lengths if x.size))


@torch.no_grad()
def draw_pretraining_sheet(
    model: BaseModel,
    samples: Sequence[dict],
    *,
    task: str = 'motion',
    feature_level: int = 2,
    occlusion: bool | None = None,
    heading: str = '',
) -> np.ndarray:
    """Draw what the model sees in pairs of frames, one row per pair.

    Columns: frame t, frame t + 1, predicted flow, true flow (if any sample
    has it), frame t + 1 warped to t, predicted occlusion (if any sample has
    the true one, or if asked for), and the first three principal components
    of frame t's features. All flow of the sheet shares one colour scale,
    which the legend names.

    The model is put in eval mode and every module's mode is restored.

    Args:
        model (BaseModel): A pretrainer with ``backbone`` and a head for
            ``task`` that predicts ``pred_flow_fw`` and ``pred_occ_fw``.
        samples (Sequence[dict]): Data set samples: ``inputs`` (2, 3, H, W)
            uint8 RGB and ``data_samples``. They are not changed.
        task (str): The task to which the samples belong.
        feature_level (int): Index into the backbone's output levels, fine
            to coarse.
        occlusion (bool, optional): Whether to draw the predicted occlusion.
            Defaults to None: if a sample has the true one. Elsewhere, as in
            real frames, it is mostly the noise of a flow that is not learned
            yet, and no figure tells how much of it is.
        heading (str): A line over everything.

    Returns:
        np.ndarray: (H, W, 3) uint8, RGB.

    Raises:
        ValueError: If there are no samples, a sample is not a pair, or the
            level does not exist.
    """
    if not samples:
        raise ValueError('expected at least one sample to draw, got none')
    if is_model_wrapper(model):
        model = model.module
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        looks = [_look(model, x, task, feature_level) for x in samples]
    finally:
        # one by one: model.train() would wake frozen parts
        for module, training in modes:
            module.training = training

    max_flow = _scale(looks)
    rows, captions = zip(*(_row(look, max_flow) for look in looks))
    if occlusion is None:
        occlusion = any(look['gt_occluded'] is not None for look in looks)
    kept = dict.fromkeys(_TITLES, True)
    kept['predicted occlusion'] = occlusion
    kept['true flow'] = any(look['gt'] is not None for look in looks)
    titles, *table = (
        list(compress(row, kept.values()))
        for row in (_TITLES, *rows, *captions)
    )
    sheet = contact_sheet(
        titles, table[: len(rows)], table[len(rows) :], heading=heading
    )
    occlusion_text = (
        'Occlusion: white pixels of frame t are judged not visible in '
        'frame t+1.'
    )
    return add_footer(
        sheet,
        flow_legend(120, max_flow),
        [
            'Flow: hue is the direction from t to t+1 (right red, down '
            'yellow, left cyan, up violet), white is no motion.',
            f'All flow pictures share this scale: full colour at '
            f'{max_flow:.1f} px and above, black where not known.',
            'Warped: frame t+1 sampled at x + predicted flow; it should look '
            'like frame t where nothing is occluded. Grey lies outside.',
            *([occlusion_text] if occlusion else []),
            'Features: first three principal components of frame t, as red, '
            'green and blue.',
        ],
    )
