"""Object mask overlays."""

import numpy as np

from mcjepa_mm.utils.image_file import pascal_palette

_OUTLINE = 1 / 240  # width of the line round an object, of the short side


def draw_objects(
    image: np.ndarray, objects: np.ndarray, opacity: float = 0.5
) -> np.ndarray:
    """Draw objects in Pascal VOC's colours over a picture.

    A line of the full colour, inside, and a white one, outside, go round
    each, so that it can be told from others, and from a ground of its own
    colour: all but a few of the colours are dark.

    Args:
        image (np.ndarray): (H, W, 3) uint8, RGB.
        objects (np.ndarray): (H, W) uint8, object numbers, 0 background.
        opacity (float): Of the colours inside the outlines, from 0, only the
            picture, to 1, only the colours. Defaults to 0.5.

    Returns:
        np.ndarray: (H, W, 3) uint8, RGB.

    Raises:
        ValueError: If the sizes differ, an array is of another kind, or
            opacity is not from 0 to 1.
    """
    import cv2

    for name, array, ndim in (('image', image, 3), ('objects', objects, 2)):
        if array.dtype != np.uint8 or array.ndim != ndim:
            raise ValueError(
                f'expected image (H, W, 3) and objects (H, W) uint8, got '
                f'{name} {array.shape} {array.dtype}'
            )
    if image.shape != (*objects.shape, 3):
        raise ValueError(
            f'the objects are {objects.shape}, the picture {image.shape}; '
            'resize the picture to the objects first'
        )
    if not 0 <= opacity <= 1:
        raise ValueError(f'opacity must be from 0 to 1, got {opacity}')
    # Not mmengine's Visualizer: it draws on the main process only, and by
    # Matplotlib, which takes far longer than a video's frames may.
    colors = pascal_palette()[objects]
    mixed = cv2.addWeighted(image, 1 - opacity, colors, opacity, 0)
    width = max(1, round(_OUTLINE * min(objects.shape)))
    around = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
    # both sides of the picture's edge are the same object
    edge = dict(borderType=cv2.BORDER_REPLICATE)
    highest = cv2.dilate(objects, around, **edge)
    lowest = cv2.erode(objects, around, **edge)
    inside = objects > 0
    line = (highest != lowest) & inside
    drawn = np.where(inside[..., None], mixed, image)
    drawn[line] = colors[line]
    drawn[(highest > 0) & ~inside] = 255
    return drawn
