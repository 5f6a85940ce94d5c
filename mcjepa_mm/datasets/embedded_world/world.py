"""The embedded world: scenes drawn from a seed and an index."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from . import shapes, textures
from .motion import Motion
from .scene import Scene, Surface
from .textures import Palette, Texture, two_colors

#: Class name, outline and pattern. Both are the class's own; colours, sizes
#: and orientation are the object's.
CLASSES = (
    ('striped disc', shapes.disc, textures.stripes),
    ('checked square', shapes.square, textures.checks),
    ('spotted triangle', shapes.triangle, textures.dots),
    ('banded star', shapes.star, textures.circles),
    ('sector ring', shapes.ring, textures.spokes),
    ('gridded cross', shapes.cross, textures.grid),
    ('zigzag heart', shapes.heart, textures.zigzag),
    ('spiral hexagon', shapes.hexagon, textures.spiral),
    ('brick crescent', shapes.crescent, textures.bricks),
    ('scaled flower', shapes.flower, textures.scales),
)

DESIGN_SIZE = 128
"""Frame side in pixels for which lengths are given; others scale them."""


class EmbeddedWorld:
    """Procedural world of textured objects that move over a background.

    Nothing is stored and nothing is global: a scene is a function of the seed
    and its index. Lengths are in pixels of a frame whose shorter side is 128
    and scale with the frame.

    Args:
        size (tuple[int, int]): Height and width of a frame in pixels. From
            96 on, a frame that is warped by the exact flow differs from the
            other by less than 2 grey values on average.
        seed (int | Sequence[int]): Non-negative. Worlds of different seeds
            share no scene.
        num_classes (int): How many of the 10 classes occur.
        num_objects (tuple[int, int]): Fewest and most objects in a scene.
        radius (tuple[float, float]): Range of an object's radius.
        max_displacement (float): Longest way of an object's centre between
            consecutive frames. Rotation and scaling come on top.
        max_background (float): The same for the background.
        camouflage (float): Share of a scene's objects whose texture is a
            sample of the background's: palette, contrast and spectrum tell
            them apart in no frame, their motion does. Their class is their
            outline's.
        distractors (float): Share of a scene's objects, and of the other
            things in a picture of one object, that have the outline of one
            class and the pattern of another, and no class.
        static (float): Share of scenes in which nothing moves.
        scene_law (bool): Whether pictures of one object have the radius, the
            angle and the number of objects of scenes, rather than one large
            and upright object.
    """

    def __init__(
        self,
        size: tuple[int, int] = (128, 128),
        *,
        seed: int | Sequence[int] = 0,
        num_classes: int = len(CLASSES),
        num_objects: tuple[int, int] = (2, 5),
        radius: tuple[float, float] = (18.0, 36.0),
        max_displacement: float = 8.0,
        max_background: float = 5.0,
        camouflage: float = 0.0,
        distractors: float = 0.0,
        static: float = 0.0,
        scene_law: bool = False,
    ) -> None:
        if min(size) < 16:
            raise ValueError(
                'the embedded world needs frames of at least 16 x 16 pixels, '
                f'got size={tuple(size)}'
            )
        if not 1 <= num_classes <= len(CLASSES):
            raise ValueError(
                f'num_classes must be 1 to {len(CLASSES)}, got {num_classes}'
            )
        if not 0 <= num_objects[0] <= num_objects[1]:
            raise ValueError(
                f'num_objects must be (fewest, most), got {tuple(num_objects)}'
            )
        for name, share in (
            ('camouflage', camouflage),
            ('distractors', distractors),
            ('static', static),
        ):
            if not 0 <= share <= 1:
                raise ValueError(f'{name} must be 0 to 1, got {share}')
        if distractors and num_classes < 2:
            raise ValueError('distractors join two classes, got num_classes=1')
        self.size = (size[0], size[1])
        self.seed = (seed,) if isinstance(seed, int) else tuple(seed)
        self.num_classes = num_classes
        self.num_objects = tuple(num_objects)
        self.radius = (radius[0], radius[1])
        self.max_displacement = max_displacement
        self.max_background = max_background
        self.camouflage = camouflage
        self.distractors = distractors
        self.static = static
        self.scene_law = scene_law
        self.unit = min(size) / DESIGN_SIZE

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes that occur, in the order of their labels."""
        return tuple(name for name, _, _ in CLASSES[: self.num_classes])

    def scene(self, index: int) -> Scene:
        """The moving scene number ``index``."""
        rng = np.random.default_rng((*self.seed, index))
        ground = self._draw_background(rng)
        count = rng.integers(self.num_objects[0], self.num_objects[1] + 1)
        objects = [self._draw_object(rng, ground) for _ in range(count)]
        if _chance(rng, self.static):
            ground = _at_rest(ground)
            objects = [_at_rest(surface) for surface in objects]
        return Scene(self.size, ground, objects)

    def object_image(self, index: int, label: int) -> Scene:
        """A still scene with one large object of class ``label``.

        Hue, light, size and place vary within a class. These nuisance factors
        vary between augmented views too, so that views are best matched by
        the class. All colours of a scene share one random hue.

        With ``scene_law`` it is a scene at rest, whose front-most object has
        this class and lies near the middle. The others are distractors.
        """
        rng = np.random.default_rng((*self.seed, index))
        if self.scene_law:
            return self._draw_still(rng, label)
        palette = Palette(rng)
        middle = np.array(self.size[::-1]) / 2
        texture = Texture(
            rng,
            (palette(2.0, 25, 115), palette(2.0, 25, 145)),
            unit=self.unit,
            coarse=0.3,
        )
        ground = Surface(Motion(tuple(middle)), texture)
        radius = DESIGN_SIZE * rng.uniform(0.34, 0.52)
        motion = Motion(
            tuple(2 * middle * rng.uniform(0.36, 0.64, 2)),
            # Pictures of things are upright, more or less.
            angle=rng.normal(0, 0.2),
        )
        colors = palette(0.0, 45, 70), palette(np.pi, 45, 190)
        objects = [self._surface(rng, radius, label, motion, colors, 0.5)]
        count = rng.integers(0, 3)
        objects += (self._clutter(rng, palette) for _ in range(count))
        return Scene(self.size, ground, objects)

    def _draw_still(self, rng: np.random.Generator, label: int) -> Scene:
        ground = _at_rest(self._draw_background(rng))
        count = rng.integers(self.num_objects[0], self.num_objects[1] + 1)
        radius = rng.uniform(*self.radius)
        motion = Motion(
            tuple(np.array(self.size[::-1]) * rng.uniform(0.36, 0.64, 2)),
            angle=rng.uniform(0, 2 * np.pi),
        )
        colors = two_colors(rng, contrast=1.0, chroma=(15.0, 60.0))
        objects = [self._surface(rng, radius, label, motion, colors)]
        for _ in range(count - 1):
            drawn = self._draw_object(rng, ground, distractor=True)
            objects.append(_at_rest(drawn))
        return Scene(self.size, ground, objects)

    def _draw_background(self, rng: np.random.Generator) -> Surface:
        height, width = self.size
        motion = Motion(
            centre=(width / 2, height / 2),
            velocity=self._velocity(rng, self.max_background),
            spin=rng.normal(0, 0.008),
            growth=rng.normal(0, 0.008),
        )
        colors = two_colors(rng, contrast=0.35, chroma=(5.0, 35.0))
        return Surface(motion, Texture(rng, colors, unit=self.unit))

    def _draw_object(
        self,
        rng: np.random.Generator,
        ground: Surface,
        distractor: bool = False,
    ) -> Surface:
        """Draw an object whose motion adds to the background's."""
        height, width = self.size
        own = self._velocity(rng, self.max_displacement)
        velocity = np.add(own, ground.motion.velocity)
        limit = self.max_displacement * self.unit
        velocity *= min(1.0, limit / max(np.hypot(*velocity), 1e-9))
        motion = Motion(
            centre=tuple(np.array([width, height]) * rng.uniform(0.1, 0.9, 2)),
            velocity=tuple(velocity),
            bend=tuple(rng.normal(0, 0.3 * self.unit, 2)),
            angle=rng.uniform(0, 2 * np.pi),
            spin=rng.normal(0, 0.04),
            growth=rng.normal(0, 0.015),
        )
        radius = rng.uniform(*self.radius)
        label = int(rng.integers(self.num_classes))
        colors = two_colors(rng, contrast=1.0, chroma=(15.0, 60.0))
        surface = self._surface(rng, radius, label, motion, colors)
        if distractor or _chance(rng, self.distractors):
            other = (label + rng.integers(1, len(CLASSES))) % len(CLASSES)
            surface = replace(surface, outline=CLASSES[other][1], label=0)
        if _chance(rng, self.camouflage):
            assert isinstance(ground.texture, Texture)
            return replace(
                surface,
                texture=ground.texture.resample(rng),
                camouflaged=True,
            )
        return surface

    def _surface(
        self,
        rng: np.random.Generator,
        radius: float,
        label: int,
        motion: Motion,
        colors: tuple[np.ndarray, np.ndarray],
        coarse: float = 1.0,
    ) -> Surface:
        _, outline, pattern = CLASSES[label]
        radius *= self.unit
        texture = Texture(
            rng,
            colors,
            pattern=pattern,
            wavelength=radius * rng.uniform(0.4, 0.48),
            unit=self.unit,
            coarse=coarse,
            radius=radius,
        )
        return Surface(motion, texture, outline, radius, label + 1)

    def _clutter(self, rng: np.random.Generator, palette: Palette) -> Surface:
        """Draw a distractor of no class."""
        radius = DESIGN_SIZE * self.unit * rng.uniform(0.08, 0.18)
        colors = palette(2.0, 25, 100), palette(2.0, 25, 160)
        texture = Texture(rng, colors, unit=self.unit, radius=radius)
        motion = Motion(
            tuple(np.array(self.size[::-1]) * rng.uniform(0, 1, 2)),
            angle=rng.uniform(0, 2 * np.pi),
        )
        return Surface(motion, texture, shapes.blob, radius)

    def _velocity(
        self, rng: np.random.Generator, limit: float
    ) -> tuple[float, float]:
        """Draw a random direction and a speed uniform up to the limit."""
        speed = self.unit * rng.uniform(0, limit)
        turn = rng.uniform(0, 2 * np.pi)
        return (speed * np.cos(turn), speed * np.sin(turn))


def _chance(rng: np.random.Generator, share: float) -> bool:
    """Draw with a probability; a share of 0 uses no random number.

    Args:
        rng (np.random.Generator): Source of the draw.
        share (float): How often it is True.
    """
    return share > 0 and rng.uniform() < share


def _at_rest(surface: Surface) -> Surface:
    """A surface that stays as at t = 0."""
    motion = Motion(surface.motion.centre, angle=surface.motion.angle)
    return replace(surface, motion=motion)
