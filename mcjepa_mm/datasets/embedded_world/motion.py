"""Smooth motion of a surface: a time-dependent similarity transform."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Motion:
    """Similarity transform of a surface at time t.

    Everything swings with one slow angular frequency, so that a surface moves
    at its full speed at t = 0 and comes back instead of leaving for good.

    Attributes:
        centre (tuple[float, float]): x and y of the surface's origin at t = 0,
            in pixels.
        velocity (tuple[float, float]): Pixels per frame at t = 0.
        bend (tuple[float, float]): Pixels per frame squared at t = 0; curves
            the path.
        angle (float): Orientation at t = 0, radians.
        spin (float): Radians per frame at t = 0.
        growth (float): Logarithm of the scale per frame at t = 0; the scale
            at t = 0 is 1.
        rate (float): Angular frequency of the swing, radians per frame.
    """

    centre: tuple[float, float]
    velocity: tuple[float, float] = (0.0, 0.0)
    bend: tuple[float, float] = (0.0, 0.0)
    angle: float = 0.0
    spin: float = 0.0
    growth: float = 0.0
    rate: float = 2 * np.pi / 32

    def affine(self, t: float) -> np.ndarray:
        """Map from object coordinates to pixels: (3, 3) float64."""
        along = np.sin(self.rate * t) / self.rate
        across = (1 - np.cos(self.rate * t)) / self.rate**2
        x, y = (
            start + along * speed + across * bend
            for start, speed, bend in zip(
                self.centre, self.velocity, self.bend
            )
        )
        turn, scale = self.angle + along * self.spin, self.scale(t)
        cos, sin = scale * np.cos(turn), scale * np.sin(turn)
        return np.array([[cos, -sin, x], [sin, cos, y], [0.0, 0.0, 1.0]])

    def scale(self, t: float) -> float:
        """Pixels per object unit at time ``t``."""
        return float(np.exp(np.sin(self.rate * t) / self.rate * self.growth))
