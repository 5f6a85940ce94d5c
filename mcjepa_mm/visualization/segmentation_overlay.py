"""Semantic segmentation overlays with a legend."""

from collections.abc import Sequence

import numpy as np

from .contact_sheet import draw_text

_SMALLEST = 384  # short side of a picture in which names can be read, pixels
_LEGEND = 208  # width of the legend, pixels
_SWATCH = 16
_LINE = 24


def draw_segmentation(
    image: np.ndarray,
    labels: np.ndarray,
    classes: Sequence[str],
    palette: Sequence[Sequence[int]],
    *,
    opacity: float = 0.5,
    names: bool = False,
) -> np.ndarray:
    """Draw classes in their colours over an image, with a legend beside.

    Small images are scaled up by a whole factor, to at least 384 pixels.

    Args:
        image (np.ndarray): (H, W, 3) uint8, RGB.
        labels (np.ndarray): (H, W) int, the class of each pixel; one that
            has no name stays dark.
        classes (Sequence[str]): Their names.
        palette (Sequence): Their colours, RGB, 0 to 255.
        opacity (float): 0, only the image, to 1, only the colours.
        names (bool): Whether the visualizer writes the names into the
            picture too. It lets them cover each other and leave the picture.
            Defaults to False.

    Returns:
        np.ndarray: (k * H, k * W + 208, 3) uint8, RGB.
    """
    import torch
    from mmengine.structures import PixelData
    from mmseg.structures import SegDataSample
    from mmseg.visualization import SegLocalVisualizer

    if labels.shape != image.shape[:2]:
        raise ValueError(
            f'the class map is {labels.shape}, the image {image.shape[:2]}'
        )
    if len(classes) != len(palette) or not classes:
        raise ValueError(
            'expected a colour for each class, got '
            f'{len(classes)} classes and {len(palette)} colours'
        )
    if not 0 <= opacity <= 1:
        raise ValueError(f'opacity must be from 0 to 1, got {opacity}')
    scale = max(1, -(-_SMALLEST // min(image.shape[:2])))
    image, labels = (
        x.repeat(scale, axis=0).repeat(scale, axis=1) for x in (image, labels)
    )
    sample = SegDataSample(
        pred_sem_seg=PixelData(data=torch.as_tensor(labels.astype(int))[None])
    )
    visualizer = SegLocalVisualizer(alpha=opacity)
    # not set_dataset_meta(), which takes Cityscapes' for what is empty
    visualizer.dataset_meta = dict(
        classes=list(classes), palette=[list(map(int, x)) for x in palette]
    )
    visualizer.add_datasample(
        'segmentation', image, sample, draw_gt=False, with_labels=names
    )
    legend = class_legend(labels, classes, palette, len(image))
    return np.concatenate([visualizer.get_image(), legend], axis=1)


def class_legend(
    labels: np.ndarray,
    classes: Sequence[str],
    palette: Sequence[Sequence[int]],
    height: int,
) -> np.ndarray:
    """Draw color, name and share of the classes in ``labels`` (H, W).

    Returns:
        np.ndarray: (height, 208, 3) uint8, RGB, the most frequent first.
    """
    counts = np.bincount(labels.ravel(), minlength=len(classes))
    counts = counts[: len(classes)]  # 255 and others have no name
    found = [i for i in np.argsort(-counts, kind='stable') if counts[i]]
    places = max(1, height // _LINE)
    shown = found if len(found) <= places else found[: places - 1]
    legend = np.full((max(height, _LINE), _LEGEND, 3), 255, np.uint8)
    left = 8 + _SWATCH + 8
    for i, label in enumerate(shown):
        top = i * _LINE
        inside = slice(top + 4, top + 4 + _SWATCH)
        legend[inside, 8 : 8 + _SWATCH] = palette[label]
        share = round(100 * counts[label] / labels.size)
        text = f'{classes[label]}, {share or "<1"} %'
        legend[top : top + _LINE, left:] = draw_text(text, _LEGEND - left)
    if len(shown) < len(found):
        top = len(shown) * _LINE
        text = f'and {len(found) - len(shown)} more'
        legend[top : top + _LINE, left:] = draw_text(text, _LEGEND - left)
    return legend[:height]
