"""Two views of 224 px of a JPEG with 375 x 500 pixels, in one thread.

Ours is the recipe's pipeline, with its checks for damaged files. mmpretrain's
has the transforms of its BYOL config. The two of torchvision's v2 are the
official augmentation, on Pillow images and on tensors. Views are random, so
they are not compared; the steps are the same, but mmpretrain's hue turns one
way only, because mmcv's fails for the other on numpy 2, and tensors are
blurred by 13 taps, which is what a sigma of up to 2 needs.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks._case import Case, Work, optional
from benchmarks._loading import (
    CONFIGS,
    as_worker,
    build_pipeline,
    pictures,
)

SAMPLES, SIZE = 8, (375, 500)
JITTER = dict(brightness=0.4, contrast=0.4, saturation=0.2)


def ours() -> Callable[[str], object]:
    """The recipe's pipeline."""
    from mmengine.config import Config

    cfg = Config.fromfile(CONFIGS / 'datasets' / 'vicreg_views.py')
    pipeline = build_pipeline(cfg.vicreg_pipeline)
    return lambda path: pipeline(dict(img_path=path))


def mmpretrain_transforms() -> Callable[[str], object]:
    """The transforms of mmpretrain's BYOL config, and its packing."""
    both = [
        dict(
            type='mmpretrain.RandomResizedCrop',
            scale=224,
            interpolation='bicubic',
            backend='pillow',
        ),
        dict(type='mmpretrain.RandomFlip', prob=0.5),
        dict(
            type='mmpretrain.RandomApply',
            prob=0.8,
            transforms=[
                dict(type='mmpretrain.ColorJitter', hue=(0, 0.1), **JITTER)
            ],
        ),
        dict(
            type='mmpretrain.RandomGrayscale',
            prob=0.2,
            keep_channels=True,
            channel_weights=(0.114, 0.587, 0.2989),
        ),
    ]
    blur = dict(
        type='mmpretrain.GaussianBlur',
        magnitude_range=(0.1, 2.0),
        magnitude_std='inf',
    )
    solarize = dict(type='mmpretrain.Solarize', thr=128, prob=0.2)
    views = [
        [*both, dict(blur, prob=1.0)],
        [*both, dict(blur, prob=0.1), solarize],
    ]
    pipeline = build_pipeline(
        [
            dict(type='LoadImageFromFile'),
            dict(
                type='mmpretrain.MultiView', num_views=[1, 1], transforms=views
            ),
            dict(type='mmpretrain.PackInputs'),
        ]
    )
    return lambda path: pipeline(dict(img_path=path))


def torchvision_v2(tensors: bool) -> Callable[[], Callable]:
    """The v2 transforms of torchvision on tensors or on Pillow images."""

    def build() -> Callable[[str], object]:
        import random

        import torch
        from PIL import Image, ImageFilter

        import mcjepa_mm  # noqa: F401  (lets a CPU build be imported)

        # apart, for the line above has to come first
        from torchvision.transforms import v2  # isort: skip

        def blur(image: Image.Image) -> Image.Image:
            sigma = random.uniform(0.1, 2.0)
            return image.filter(ImageFilter.GaussianBlur(sigma))

        blurred = v2.GaussianBlur(13, (0.1, 2.0)) if tensors else blur
        both = [
            v2.RandomResizedCrop(224, interpolation=Image.Resampling.BICUBIC),
            v2.RandomHorizontalFlip(),
            v2.RandomApply([v2.ColorJitter(hue=0.1, **JITTER)], p=0.8),
            v2.RandomGrayscale(p=0.2),
        ]
        last = [] if tensors else [v2.PILToTensor()]
        views = [
            v2.Compose([*both, blurred, *last]),
            v2.Compose(
                [
                    *both,
                    v2.RandomApply([blurred], p=0.1),
                    v2.RandomSolarize(128, p=0.2),
                    *last,
                ]
            ),
        ]
        first = v2.PILToTensor() if tensors else lambda image: image

        def load(path: str) -> torch.Tensor:
            image = first(Image.open(path).convert('RGB'))
            return torch.stack([view(image) for view in views])

        return load

    return build


def make(
    side: Callable[[], Callable], samples: int, size: tuple[int, int]
) -> Callable[[], Work]:
    """A side that reads JPEGs from a folder of its own."""

    def build() -> Work:
        import numpy as np
        import torch
        from PIL import Image

        torch.manual_seed(0)
        np.random.seed(0)
        load = side()
        folder = tempfile.TemporaryDirectory()
        paths = []
        for number, picture in enumerate(pictures(samples, size)):
            paths.append(str(Path(folder.name, f'{number}.jpg')))
            Image.fromarray(picture).save(paths[-1], quality=90)

        return as_worker(load, paths, folder)

    return build


def cases(
    device: str, samples: int = SAMPLES, size: tuple[int, int] = SIZE
) -> list[Case]:
    """One case, on the CPU whatever the device is."""
    sides = {
        'ours': ours,
        **optional(
            {"mmpretrain's": mmpretrain_transforms}, 'mmpretrain.datasets'
        ),
        "torchvision's v2, Pillow": torchvision_v2(tensors=False),
        "torchvision's v2, tensors": torchvision_v2(tensors=True),
    }
    return [
        Case(
            shape=f'2 x 224 px of {size[0]} x {size[1]}',
            sides={
                name: make(side, samples, size) for name, side in sides.items()
            },
            tolerance=None,
            is_cpu_time=True,
            samples=samples,
        )
    ]
