"""Pictures on their way to files."""

from pathlib import Path

import cv2
import numpy as np


def write_image(path: Path, image: np.ndarray) -> None:
    """Write a picture and make its folder.

    Args:
        path (Path): File; the suffix tells the format.
        image (np.ndarray): (H, W, 3) uint8, RGB, or (H, W), grey.

    Raises:
        OSError: If it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if image.ndim == 3:
        image = image[..., ::-1]
    done, content = cv2.imencode(path.suffix, image)
    assert done, f'OpenCV cannot encode a picture of {image.shape}'
    # not imwrite: it says neither that a disk is full nor that a path is wrong
    path.write_bytes(content.tobytes())


def write_mask(path: Path, mask: np.ndarray) -> None:
    """Write a mask (H, W) bool as 255 where it is True."""
    write_image(path, np.where(mask, 255, 0).astype(np.uint8))


def final_pass(image: np.ndarray) -> np.ndarray:
    """The 'final' rendering of a 'clean' frame: blurred and dimmed."""
    blurred = cv2.GaussianBlur(image, (0, 0), 1.0)
    return (0.8 * blurred + 10).astype(np.uint8)


def sparse(
    rng: np.random.Generator, size: tuple[int, int], density: float = 0.5
) -> np.ndarray:
    """Where a laser scanner would have measured: (H, W) bool."""
    return rng.random(size) < density
