"""Textures of the embedded world: functions of a surface's own coordinates.

All of them are sums and smooth functions of sinusoids whose wavelengths stay
above a few pixels, so that a frame which is warped onto another by the exact
flow equals it: what remains is the error of bilinear interpolation.

Points are homogeneous columns, (3, N) float32: a sinusoid's phase is then one
more coefficient, and all sinusoids together are one matrix product.
"""

from collections.abc import Callable, Sequence
from copy import copy

import numpy as np

TAU = 2 * np.pi

BAND = 1536
"""Points that are evaluated together. All their sinusoids fit the cache, and
the matrix products stay below the size from which OpenBLAS (262144
multiplications) starts threads: in a dataloader worker those are not wanted,
and spin beside the training's own."""


def _soft(value: np.ndarray, gain: float = 1.6) -> np.ndarray:
    """Push values towards -1 and 1 without a hard edge."""
    return np.tanh(gain * value)


def stripes(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Parallel bars."""
    return _soft(np.sin(TAU * x))


def checks(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Chess board."""
    return _soft(2 * np.sin(np.pi * x) * np.sin(np.pi * y))


def dots(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Spots on a square lattice."""
    return _soft(np.cos(TAU * x) + np.cos(TAU * y) - 0.7)


def circles(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Concentric bars."""
    return _soft(np.sin(TAU * np.sqrt(x * x + y * y + 0.05)))


def spokes(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Sectors around the centre, fading where they would become too thin."""
    radius = np.hypot(x, y)
    return _soft(np.sin(8 * np.arctan2(y, x))) * np.clip(radius - 0.4, 0, 1)


def grid(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Thin lines in two directions."""
    return _soft(np.maximum(np.cos(TAU * x), np.cos(TAU * y)) - 0.55, gain=2.2)


def zigzag(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Bars with a swing."""
    return _soft(np.sin(TAU * (x + 0.45 * np.sin(np.pi * y))))


def spiral(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Two arms that wind around the centre."""
    radius = np.hypot(x, y)
    return _soft(np.sin(TAU * 0.8 * radius + 2 * np.arctan2(y, x))) * np.clip(
        2 * radius, 0, 1
    )


def scales(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Triangular lattice of three waves."""
    s = np.float32(0.5 * 3**0.5)
    return _soft(
        np.cos(TAU * y)
        + np.cos(TAU * (s * x - 0.5 * y))
        + np.cos(TAU * (s * x + 0.5 * y)),
        gain=-1.2,
    )


def bricks(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Wall: every second row is shifted by half a brick."""
    # The shift jumps at whole y, inside of the joint, where it is not seen.
    x = 0.5 * (x + np.floor(y))
    return _soft(
        np.maximum(np.cos(TAU * y), np.cos(TAU * x) - 0.15) - 0.55, gain=-2.2
    )


class SpectralNoise:
    """Sum of sinusoids over several octaves: smooth noise without a grid.

    Args:
        rng (np.random.Generator): Source of directions and phases.
        wavelengths (Sequence[float] | np.ndarray): One octave each, in the
            unit of the coordinates (pixels at scale 1).
        counts (Sequence[int]): Sinusoids in each octave.
        weights (np.ndarray): (octaves, C), root mean square of each octave
            in each of the C fields.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        wavelengths: Sequence[float] | np.ndarray,
        counts: Sequence[int],
        weights: np.ndarray,
    ) -> None:
        # Directions are spread over the half circle and jittered: pure chance
        # leaves some textures with a single direction.
        turn = np.concatenate(
            [
                rng.uniform() + (np.arange(n) + rng.uniform(-0.5, 0.5, n)) / n
                for n in counts
            ]
        )
        length = np.repeat(wavelengths, counts)
        wave = TAU / (length * rng.uniform(0.8, 1.3, len(length)))
        self._wave = np.stack(
            [
                wave * np.cos(np.pi * turn),
                wave * np.sin(np.pi * turn),
                rng.uniform(0, TAU, len(length)),
            ],
            -1,
        ).astype(np.float32)
        # Signs differ per field, so that fields are not copies of each other.
        sign = rng.choice([-1.0, 1.0], (weights.shape[1], len(length)))
        weights = weights.T * np.sqrt(2 / np.asarray(counts))
        self._amplitude = (sign * np.repeat(weights, counts, axis=1)).astype(
            np.float32
        )

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Evaluate at homogeneous ``points`` (3, N); returns (C, N)."""
        count = points.shape[1]
        fields = np.empty((len(self._amplitude), count), np.float32)
        for begin in range(0, count, BAND):
            band = slice(begin, begin + BAND)
            angle = self._wave @ points[:, band]
            np.sin(angle, out=angle)
            fields[:, band] = self._amplitude @ angle
        return fields


class Texture:
    """Two colours mixed by a pattern, under smooth noise of every scale.

    Args:
        rng (np.random.Generator): Source of the noise.
        colors (tuple[np.ndarray, np.ndarray]): RGB, 0-255.
        pattern (callable, optional): Mixes the colours; None mixes them by
            noise, as a background has it.
        wavelength (float): Wavelength of the pattern in pixels at scale 1;
            raised to ``FINEST_PATTERN``.
        unit (float): Pixels per design pixel; noise scales with it, so that a
            larger frame shows the same world larger.
        coarse (float): Scales the three coarse octaves of the noise.
        radius (float, optional): Where shading ends; None for no shading.
    """

    #: Wavelengths of the noise in design pixels, coarse to fine.
    OCTAVES = (72.0, 36.0, 18.0, 9.0, 6.0)
    #: Shortest wavelengths of noise and pattern in pixels, whatever the size
    #: of the frame: bilinear warping loses two grey values below them.
    FINEST_NOISE, FINEST_PATTERN = 6.0, 9.0
    #: Root mean square of each octave for the fields: shift of the pattern
    #: in x and y (pattern wavelengths), mix (-1 to 1), brightness and tint
    #: (grey values).
    FIELDS = np.array(
        [
            [0.08, 0.08, 0.55, 6.0, 9.0],
            [0.08, 0.08, 0.40, 6.0, 6.0],
            [0.04, 0.04, 0.35, 7.0, 4.0],
            [0.00, 0.00, 0.25, 6.0, 0.0],
            [0.00, 0.00, 0.10, 4.0, 0.0],
        ]
    )
    #: Few sinusoids show as a lattice where a frame holds many wavelengths.
    COUNTS = (4, 5, 6, 8, 10)

    def __init__(
        self,
        rng: np.random.Generator,
        colors: tuple[np.ndarray, np.ndarray],
        *,
        pattern: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
        wavelength: float = 12.0,
        unit: float = 1.0,
        coarse: float = 1.0,
        radius: float | None = None,
    ) -> None:
        self._pattern = pattern
        self._wavelength = np.float32(max(wavelength, self.FINEST_PATTERN))
        self._radius = radius
        self._weights = self.FIELDS * np.array([coarse] * 3 + [1, 1])[:, None]
        self._octaves = np.maximum(
            np.multiply(self.OCTAVES, unit), self.FINEST_NOISE
        )
        self._noise = self._draw_noise(rng)
        first, second = colors
        self._middle = (first + second)[:, None] / 2
        tint = rng.normal(size=3)
        tint -= tint.mean()
        tint /= np.abs(tint).max()
        # Columns: what a pattern from -1 to 1, light and tint do to a colour.
        self._mixer = np.stack(
            [(second - first) / 2, np.ones(3), tint], -1
        ).astype(np.float32)

    def _draw_noise(self, rng: np.random.Generator) -> SpectralNoise:
        return SpectralNoise(rng, self._octaves, self.COUNTS, self._weights)

    def resample(self, rng: np.random.Generator) -> 'Texture':
        """Another sample of this texture: same colours, contrast, spectrum.

        Args:
            rng (np.random.Generator): Source of its noise.
        """
        other = copy(self)
        other._noise = self._draw_noise(rng)
        return other

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Colours at homogeneous ``points`` (3, N).

        Returns:
            np.ndarray: (3, N) float32, RGB, about 0 to 255, not clipped.
        """
        fields = self._noise(points)
        shift, mix = fields[:2], fields[2]
        if self._pattern is None:
            mix[:] = _soft(mix, gain=1.4)
        else:
            mix[:] = self._pattern(*(points[:2] / self._wavelength + shift))
        color = self._mixer @ fields[2:]
        color += self._middle
        if self._radius is not None:
            x, y = points[:2] / np.float32(self._radius)
            color *= np.float32(1.1) - np.float32(0.3) * (x * x + y * y)
        return color


class Palette:
    """Random colours that share one hue and one lightness.

    Args:
        rng (np.random.Generator): Source of hue, vividness, light, contrast.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self.hue = rng.uniform(0, TAU)
        self.vividness = rng.uniform(0.5, 1.3)
        self.light = rng.uniform(0.6, 1.25)
        self.contrast = rng.uniform(0.6, 1.2)

    def __call__(self, turn: float, chroma: float, grey: float) -> np.ndarray:
        """The colour ``turn`` radians from the palette's hue."""
        grey = self.light * (128 + self.contrast * (grey - 128))
        return color(self.hue + turn, self.vividness * chroma, grey)


def two_colors(
    rng: np.random.Generator, contrast: float, chroma: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Two random colours of different brightness, RGB float32 0-255."""
    middle = rng.uniform(100, 160)
    half = contrast * rng.uniform(46, 68) * rng.choice([-1.0, 1.0])
    hue = rng.uniform(0, TAU)
    # Neighbours on the colour wheel go well together; opposites stand out.
    second = hue + rng.choice([rng.normal(0, 0.6), np.pi])
    return (
        color(hue, rng.uniform(*chroma), middle - half),
        color(second, rng.uniform(*chroma), middle + half),
    )


def color(hue: float, chroma: float, grey: float) -> np.ndarray:
    """The colour of a hue (radians) with mean ``grey``, RGB float32 0-255."""
    rgb = grey + chroma * np.cos(hue - TAU / 3 * np.arange(3))
    return np.clip(rgb, 8, 247).astype(np.float32)
