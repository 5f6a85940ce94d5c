"""Transforms of the frames of a pair.

The frames are ``results['img']``: two (H, W, 3) uint8 arrays, RGB, of one
size. Randomness comes from NumPy's global generator, which mmengine seeds in
every dataloader worker.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.dataset import Compose

from mcjepa_mm.datasets.crops import draw_corners
from mcjepa_mm.registry import TRANSFORMS


@TRANSFORMS.register_module()
class ResizePair(BaseTransform):
    """Resize the frames so that their shorter side has a given length.

    Args:
        short_side (int): Pixels.
    """

    def __init__(self, short_side: int) -> None:
        if short_side < 1:
            raise ValueError(f'short_side must be positive, got {short_side}')
        self.short_side = short_side

    def transform(self, results: dict) -> dict:
        height, width = results['img'][0].shape[:2]
        ratio = self.short_side / min(height, width)
        size = round(width * ratio), round(height * ratio)
        # The mean over an area does not alias when a frame shrinks.
        mode = cv2.INTER_AREA if ratio < 1 else cv2.INTER_LINEAR
        results['img'] = [
            cv2.resize(img, size, interpolation=mode) for img in results['img']
        ]
        results['img_shape'] = size[::-1]
        return results


@TRANSFORMS.register_module()
class RandomCropPair(BaseTransform):
    """Crop both frames at random, at one place or at two.

    Args:
        crop_size (tuple[int, int]): Height and width in pixels.
        max_offset (int): Pixels, in each direction, that the two windows may
            be apart, see :func:`~mcjepa_mm.datasets.crops.draw_corners`.
            Defaults to 0: the same window.

    Raises:
        ValueError: If a frame is smaller than the window.
    """

    def __init__(
        self, crop_size: tuple[int, int], max_offset: int = 0
    ) -> None:
        if len(crop_size) != 2 or min(crop_size) < 1:
            raise ValueError(
                f'crop_size must be (height, width), got {crop_size}'
            )
        self.crop_size = tuple(crop_size)
        self.max_offset = max_offset

    def transform(self, results: dict) -> dict:
        height, width = results['img'][0].shape[:2]
        rows, columns = self.crop_size
        if height < rows or width < columns:
            source = results.get('img_path', ['the frame'])[0]
            raise ValueError(
                f'{source}: frames are {height} x {width} pixels (height x '
                f'width), smaller than the crop of {rows} x {columns}. Choose '
                'a smaller `crop_size`, or enlarge the frames by a '
                '`ResizePair` before it.'
            )
        corners = draw_corners(
            (height, width), self.crop_size, max_offset=self.max_offset
        )
        results['img'] = [
            img[top : top + rows, left : left + columns]
            for img, (top, left) in zip(results['img'], corners, strict=True)
        ]
        results['img_shape'] = self.crop_size
        return results


@TRANSFORMS.register_module()
class RandomFlipPair(BaseTransform):
    """Mirror both frames or none.

    Args:
        horizontal (float): Probability of a left-right flip.
        vertical (float): Probability of an upside-down flip.
    """

    def __init__(self, horizontal: float = 0.5, vertical: float = 0.0) -> None:
        self.horizontal = horizontal
        self.vertical = vertical

    def transform(self, results: dict) -> dict:
        if np.random.rand() < self.horizontal:
            results['img'] = [img[:, ::-1] for img in results['img']]
        if np.random.rand() < self.vertical:
            results['img'] = [img[::-1] for img in results['img']]
        return results


@TRANSFORMS.register_module()
class RandomCameraPair(BaseTransform):
    """Imitate a camera: exposure, gamma, blur and noise.

    A pair shares its exposure, its gamma and its blur; light changes a little
    from frame to frame, and the noise of each frame is its own. All strengths
    are drawn from 0 to those given.

    Args:
        exposure (float): Logarithm of the gain. Defaults to 0.4.
        gamma (float): Logarithm of the exponent. Defaults to 0.3.
        change (float): Logarithm of the gain from frame to frame. Defaults to
            0.05.
        blur (float): Sigma in pixels of a Gaussian. Defaults to 1.
        noise (float): Sigma in grey levels. Defaults to 6.
    """

    def __init__(
        self,
        exposure: float = 0.4,
        gamma: float = 0.3,
        change: float = 0.05,
        blur: float = 1.0,
        noise: float = 6.0,
    ) -> None:
        self.exposure = exposure
        self.gamma = gamma
        self.change = change
        self.blur = blur
        self.noise = noise

    def transform(self, results: dict) -> dict:
        exposure, gamma = np.random.uniform(-1, 1, 2)
        blur, noise = np.random.uniform(0, 1, 2) * (self.blur, self.noise)
        curve = (np.arange(256) / 255) ** np.exp(self.gamma * gamma)
        frames = []
        for img in results['img']:
            change = self.change * np.random.uniform(-1, 1)
            gain = np.exp(self.exposure * exposure + change)
            frame = (255 * (gain * curve)).astype(np.float32)[img]
            if blur > 0.1:  # a smaller one is none
                frame = cv2.GaussianBlur(frame, (0, 0), blur)
            if noise:
                frame += noise * np.random.randn(*frame.shape)
            frames.append(np.clip(frame + 0.5, 0, 255).astype(np.uint8))
        results['img'] = frames
        return results


@TRANSFORMS.register_module()
class TransformEachFrame(BaseTransform):
    """Make a view of each frame, by transforms of its own.

    They get what they get of an image: ``img``, BGR, as LoadImageStrict
    leaves it, and leave a view, RGB. The frames need not be cropped at one
    place, so two of them give what mmpretrain's ``MultiView`` gives of one
    image.

    Args:
        transforms (Sequence[Sequence[dict]]): Transforms of each frame.
    """

    def __init__(self, transforms: Sequence[Sequence[dict]]) -> None:
        self.transforms = [
            Compose([TRANSFORMS.build(t) for t in each]) for each in transforms
        ]

    def transform(self, results: dict) -> dict:
        results['img'] = [
            view(dict(img=np.ascontiguousarray(frame[..., ::-1])))['img']
            for view, frame in zip(
                self.transforms, results['img'], strict=True
            )
        ]
        results['img_shape'] = results['img'][0].shape[:2]
        return results
