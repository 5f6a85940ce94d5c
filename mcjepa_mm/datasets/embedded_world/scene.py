"""A scene of the embedded world: rendering and exact ground truth."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from .motion import Motion

BACKGROUND = 255
"""Layer number of the background; objects count from 0, the front-most."""

BORDER = 1e-3
"""Pixels that rounding may put a point out of the frame."""


@dataclass(frozen=True)
class Surface:
    """A textured surface that moves.

    Points are homogeneous columns: (3, N) float32 with rows x, y and 1.

    Attributes:
        motion (Motion): Where it is.
        texture (callable): (3, N) object coordinates to (3, N) RGB.
        outline (callable, optional): x, y (in radii) to a signed distance in
            radii; None for the background, which has no end.
        radius (float): Radius in pixels at scale 1.
        label (int): Class from 1; 0 for the background and for clutter.
        camouflaged (bool): Whether its texture is a sample of the
            background's, so that motion alone sets it apart.
    """

    motion: Motion
    texture: Callable[[np.ndarray], np.ndarray]
    outline: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    radius: float = 1.0
    label: int = 0
    camouflaged: bool = False

    def locate(self, pixels: np.ndarray, t: float) -> np.ndarray:
        """Object coordinates (3, N) of ``pixels`` (3, N) at time ``t``."""
        inverse = np.linalg.inv(self.motion.affine(t))
        return inverse.astype(np.float32) @ pixels

    def distance(self, coordinates: np.ndarray, t: float) -> np.ndarray:
        """Signed distance (N,) to the outline in pixels at time ``t``."""
        assert self.outline is not None  # the background is not asked
        x, y = coordinates[:2] / np.float32(self.radius)
        scale = self.radius * self.motion.scale(t)
        return self.outline(x, y) * np.float32(scale)


class _View(NamedTuple):
    """The part of a frame that an object covers, before occlusion."""

    rows: slice
    columns: slice
    coordinates: np.ndarray
    distance: np.ndarray

    @property
    def window(self) -> tuple:
        return (..., self.rows, self.columns)


class Scene:
    """Objects over a background, seen at any time.

    Pixel (x, y) stands for the point (x, y): its centre. Ground truth is that
    of the front-most surface at that point and comes from the motions, not
    from images. What has been computed for a time is kept with the scene.

    Args:
        size (tuple[int, int]): Height and width in pixels.
        background (Surface): Covers everything.
        objects (Sequence[Surface]): Front-most first, at most 255.
    """

    def __init__(
        self,
        size: tuple[int, int],
        background: Surface,
        objects: Sequence[Surface],
    ) -> None:
        if len(objects) > BACKGROUND:
            raise ValueError(
                f'a scene holds at most {BACKGROUND} objects, '
                f'got {len(objects)}'
            )
        self.size = tuple(size)
        self.background = background
        self.objects = list(objects)
        self._views: dict[tuple[int, float], _View] = {}
        self._layers: dict[float, np.ndarray] = {}
        self._flows: dict[tuple[float, float], np.ndarray] = {}

    def frame(self, t: float) -> np.ndarray:
        """Image at time ``t``: (H, W, 3) uint8, RGB."""
        pixels = self._pixels.reshape(3, -1)
        surface = self.background
        image = surface.texture(surface.locate(pixels, t))
        for number, surface in self._back_to_front():
            view = self._view(number, t)
            # Only the covered part of the window is worth a texture.
            covered = np.flatnonzero(view.distance < 0.5)
            alpha = np.minimum(0.5 - view.distance.ravel()[covered], 1)
            color = surface.texture(view.coordinates.take(covered, axis=1))
            # The same pixels of the whole frame.
            row, column = np.divmod(covered, view.distance.shape[1])
            place = (row + view.rows.start) * self.size[1]
            place += column + view.columns.start
            below = image.take(place, axis=1)
            color -= below
            color *= alpha
            color += below
            for plane, values in zip(image, color):
                plane[place] = values
        np.clip(image, 0, 255, out=image)
        image += np.float32(0.5)
        image = image.astype(np.uint8).reshape(3, *self.size)
        return np.ascontiguousarray(image.transpose(1, 2, 0))

    def layers(self, t: float) -> np.ndarray:
        """Front-most surface at each pixel: (H, W) uint8.

        Objects count from 0, the front-most; ``BACKGROUND`` where none is.
        """
        if t not in self._layers:
            layers = np.full(self.size, BACKGROUND, np.uint8)
            for number, _ in self._back_to_front():
                view = self._view(number, t)
                layers[view.window][view.distance <= 0] = number
            self._layers[t] = layers
        return self._layers[t]

    def class_mask(self, t: float) -> np.ndarray:
        """Classes from 1, background 0: (H, W) uint8."""
        table = np.zeros(256, np.uint8)
        table[: len(self.objects)] = [s.label for s in self.objects]
        return table[self.layers(t)]

    def instance_mask(self, t: float) -> np.ndarray:
        """Objects from 1, the same number at all times, background 0.

        Returns:
            np.ndarray: (H, W) uint8.
        """
        # The background's 255 wraps to 0.
        return self.layers(t) + np.uint8(1)

    def flow(self, t: float, t2: float) -> np.ndarray:
        """Optical flow from ``t`` to ``t2``.

        Returns:
            np.ndarray: (2, H, W) float32, x then y, pixels. The frame at
            ``t2``, sampled at x + flow(x), equals the frame at ``t`` where
            ``occlusion(t, t2)`` is False.
        """
        if (t, t2) not in self._flows:
            layers = self.layers(t)
            flow = _displacement(self.background.motion, t, t2, self._pixels)
            for number, surface in self._back_to_front():
                window = self._view(number, t).window
                move = _displacement(
                    surface.motion, t, t2, self._pixels[window]
                )
                np.copyto(flow[window], move, where=layers[window] == number)
            self._flows[t, t2] = flow
        return self._flows[t, t2].copy()

    def occlusion(self, t: float, t2: float) -> np.ndarray:
        """Pixels of ``t`` whose surface point is not visible at ``t2``.

        A point is occluded when another surface covers it at ``t2``, or when
        it is then out of the frame: beyond the centres of the border pixels,
        where bilinear sampling would have to invent a neighbour.

        Returns:
            np.ndarray: (H, W) bool, True = occluded.
        """
        height, width = self.size
        layers = self.layers(t)
        x, y = self._pixels[:2] + self.flow(t, t2)
        occluded = (x < -BORDER) | (x > width - 1 + BORDER)
        occluded |= (y < -BORDER) | (y > height - 1 + BORDER)
        for number, surface in enumerate(self.objects):
            centre = surface.motion.affine(t2)[:2, 2].astype(np.float32)
            reach = surface.radius * surface.motion.scale(t2) + 1
            near = np.abs(x - centre[0]) < reach
            near &= np.abs(y - centre[1]) < reach
            near &= (layers > number) & ~occluded
            target = np.stack([x[near], y[near], np.ones_like(x[near])])
            coordinates = surface.locate(target, t2)
            occluded[near] = surface.distance(coordinates, t2) <= 0
        return occluded

    @cached_property
    def _pixels(self) -> np.ndarray:
        """(3, H, W) float32: x, y and 1."""
        height, width = self.size
        pixels = np.ones((3, height, width), np.float32)
        pixels[0], pixels[1] = np.arange(width), np.arange(height)[:, None]
        return pixels

    def _back_to_front(self) -> Iterator[tuple[int, Surface]]:
        yield from reversed(list(enumerate(self.objects)))

    def _view(self, number: int, t: float) -> _View:
        """The part of the frame that an object can reach at time ``t``."""
        if (number, t) not in self._views:
            surface = self.objects[number]
            centre = surface.motion.affine(t)[:2, 2]
            reach = surface.radius * surface.motion.scale(t) + 1
            limit = self.size[::-1]
            first = np.clip(np.floor(centre - reach).astype(int), 0, limit)
            last = np.clip(np.ceil(centre + reach).astype(int) + 1, 0, limit)
            rows, columns = slice(first[1], last[1]), slice(first[0], last[0])
            pixels = self._pixels[:, rows, columns]
            coordinates = surface.locate(pixels.reshape(3, -1), t)
            distance = surface.distance(coordinates, t)
            self._views[number, t] = _View(
                rows, columns, coordinates, distance.reshape(pixels.shape[1:])
            )
        return self._views[number, t]


def _displacement(
    motion: Motion, t: float, t2: float, pixels: np.ndarray
) -> np.ndarray:
    """Displacement (2, h, w) from ``t`` to ``t2`` of a rigid surface."""
    step = motion.affine(t2) @ np.linalg.inv(motion.affine(t)) - np.eye(3)
    x, y = pixels[:2]
    a, b, c = step[:2, :, None, None].astype(np.float32).transpose(1, 0, 2, 3)
    return a * x + b * y + c
