"""Pictures on their way to files."""

from pathlib import Path

import cv2
import numpy as np

from mcjepa_mm.utils.image_file import (
    pascal_palette,
    write_image,
    write_label_map,
)

VOID = 255
"""Label of the pixels that count for nothing."""


def write_mask(path: Path, mask: np.ndarray) -> None:
    """Write a mask (H, W) bool as 255 where it is True."""
    write_image(path, np.where(mask, 255, 0).astype(np.uint8))


def write_indexed(path: Path, labels: np.ndarray) -> None:
    """Write a label map as a PNG with Pascal VOC's palette.

    Args:
        path (Path): File; its folder is made.
        labels (np.ndarray): (H, W) uint8.
    """
    write_label_map(path, labels, pascal_palette())


def outlined(labels: np.ndarray, instances: np.ndarray) -> np.ndarray:
    """A label map with ``VOID`` where a pixel touches another instance.

    The line, two pixels wide, is what an annotator leaves undecided.

    Args:
        labels (np.ndarray): (H, W) uint8.
        instances (np.ndarray): (H, W) uint8, background included.
    """
    around = np.ones((3, 3), np.uint8)
    # Both sides of the picture's edge are the same instance.
    border = dict(borderType=cv2.BORDER_REPLICATE)
    highest = cv2.dilate(instances, around, **border)
    lowest = cv2.erode(instances, around, **border)
    return np.where(highest == lowest, labels, VOID).astype(np.uint8)


def final_pass(image: np.ndarray) -> np.ndarray:
    """The 'final' rendering of a 'clean' frame: blurred and dimmed."""
    blurred = cv2.GaussianBlur(image, (0, 0), 1.0)
    return (0.8 * blurred + 10).astype(np.uint8)


def sparse(
    rng: np.random.Generator, size: tuple[int, int], density: float = 0.5
) -> np.ndarray:
    """Where a laser scanner would have measured: (H, W) bool."""
    return rng.random(size) < density
