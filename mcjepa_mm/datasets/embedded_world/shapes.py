"""Outlines of the embedded world's objects, as signed distances.

Every outline is a function of object coordinates that are scaled so that the
object fits the unit disc. The value is negative inside, positive outside and
close to the distance to the outline near it, which is all that an
anti-aliased edge needs.
"""

import numpy as np


def disc(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Disc that fills the unit disc."""
    return np.hypot(x, y) - 1.0


def square(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Square with rounded corners."""
    half, corner = 0.6, 0.14
    dx, dy = np.abs(x) - half, np.abs(y) - half
    outside = np.hypot(np.maximum(dx, 0), np.maximum(dy, 0))
    return outside + np.minimum(np.maximum(dx, dy), 0) - corner


def triangle(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Equilateral triangle whose corners touch the unit circle."""
    slope = 0.5 * np.sqrt(np.float32(3))
    return np.maximum(-y, slope * np.abs(x) + 0.5 * y) - 0.5


def star(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Five-pointed star."""
    return _tips(x, y, count=5, inner=0.5)


def ring(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Ring whose hole shows what lies behind it."""
    return np.abs(np.hypot(x, y) - 0.72) - 0.28


def cross(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Plus sign."""
    width, length = 0.36, 0.92
    x, y = np.abs(x), np.abs(y)
    return np.minimum(
        np.maximum(x - width, y - length), np.maximum(x - length, y - width)
    )


def heart(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Heart: two discs on the upper sides of a square that stands on a tip."""
    half = np.float32(0.5)
    middle = half * np.float32(0.5**0.5)
    x = np.abs(x)
    # y points down: the lobes are at negative y.
    diamond = np.maximum(x + y, x - y) * np.float32(0.5**0.5) - half
    lobe = np.hypot(x - middle, y + middle) - half
    return np.minimum(diamond, lobe)


def hexagon(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Regular hexagon whose corners touch the unit circle."""
    slope = 0.5 * np.sqrt(np.float32(3))
    x, y = np.abs(x), np.abs(y)
    return np.maximum(slope * x + 0.5 * y, y) - slope


def crescent(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Moon: the unit disc less a smaller disc."""
    return np.maximum(np.hypot(x, y) - 1.0, 0.68 - np.hypot(x - 0.5, y))


def flower(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Six petals around a centre."""
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    outline = 0.78 + 0.22 * np.cos(6 * angle)
    # The outline is steep between the petals; its slope turns the radial
    # difference into a distance.
    slope = 6 * 0.22 * np.sin(6 * angle) / np.maximum(outline, radius)
    return (radius - outline) / np.sqrt(1 + slope * slope)


def _tips(
    x: np.ndarray, y: np.ndarray, *, count: int, inner: float
) -> np.ndarray:
    """Star with ``count`` tips on the unit circle, valleys at ``inner``."""
    sector = 2 * np.pi / count
    angle = np.arctan2(y, x)
    angle = np.abs(angle - sector * np.round(angle / sector))
    radius = np.hypot(x, y)
    # One edge, from the tip (1, 0) to the valley, serves every half sector.
    edge = np.array(
        [inner * np.cos(sector / 2) - 1.0, inner * np.sin(sector / 2)],
        dtype=np.float32,
    )
    edge /= np.hypot(edge[0], edge[1])
    return edge[1] * (radius * np.cos(angle) - 1.0) - edge[
        0
    ] * radius * np.sin(angle)


def blob(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Pebble of no class."""
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    return radius - (0.82 + 0.1 * np.cos(2 * angle) + 0.08 * np.sin(3 * angle))
