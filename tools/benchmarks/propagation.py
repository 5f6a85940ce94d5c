"""Label propagation through a clip, beside DINO's written out plainly.

The objects of a clip of the embedded world at 480 x 832, ten frames, are
followed by the stride-8 features of a ResNet-50 with random weights, which do
not change the work. The encoding is the same on both sides and counted. Ours
keeps the last frames' features and looks at a tile of cells at a time; the
plain one compares every cell with every cell. The masks are equal, but for
pixels at which rounding decides. Times are for one frame.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from benchmarks._case import Case, Work

SIZE, FRAMES = (480, 832), 10  # from the ninth frame on the context is full
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


def build(device: str) -> nn.Module:
    """The model of both sides."""
    import mcjepa_mm.models  # noqa: F401  (registers it)
    from mcjepa_mm.registry import MODELS

    torch.manual_seed(0)
    model = MODELS.build(
        dict(
            type='mcjepa_mm.LabelPropagation',
            data_preprocessor=dict(
                type='mcjepa_mm.ViewsDataPreprocessor', mean=MEAN, std=STD
            ),
            # the levels up to stride 8
            backbone=dict(
                type='mmpretrain.ResNet',
                depth=50,
                num_stages=2,
                strides=(1, 2),
                dilations=(1, 1),
                out_indices=(1,),
            ),
        )
    )
    return model.to(device).eval()


def clip(size: tuple[int, int], frames: int) -> tuple[list[Tensor], object]:
    """Frames (3, H, W) uint8, and the mask (H, W) of the first one."""
    from mcjepa_mm.datasets import EmbeddedWorld

    scene = EmbeddedWorld(size).scene(0)
    pictures = [
        torch.from_numpy(scene.frame(t)).permute(2, 0, 1)
        for t in range(frames)
    ]
    return pictures, scene.instance_mask(0)


def make_ours(
    device: str, size: tuple[int, int], frames: int
) -> Callable[[], Work]:
    """The package's."""

    def make() -> Work:
        from mmengine.structures import BaseDataElement, PixelData

        model = build(device)
        pictures, mask = clip(size, frames)

        def follow(t: int) -> Tensor:
            sample = BaseDataElement(
                metainfo=dict(sequence='clip', frame_index=t),
                gt_objects=PixelData(data=torch.from_numpy(mask)[None]),
            )
            data = dict(inputs=[pictures[t]], data_samples=[sample])
            (result,) = model.test_step(data)
            return result.pred_objects.data[0]

        return lambda: [follow(t) for t in range(frames)][1:]

    return make


def make_plain(
    device: str, size: tuple[int, int], frames: int
) -> Callable[[], Work]:
    """All cells against all cells."""

    def make() -> Work:
        from benchmarks.plain_propagation import plain_masks

        model = build(device)
        pictures, mask = clip(size, frames)

        @torch.no_grad()
        def work() -> list[Tensor]:
            feats = []
            for picture in pictures:
                data = model.data_preprocessor(dict(inputs=[picture]))
                feats.append(model(data['inputs'])[0])
            masks = plain_masks(feats, mask, size)
            return [torch.from_numpy(mask) for mask in masks]

        return work

    return make


def cases(
    device: str, size: tuple[int, int] = SIZE, frames: int = FRAMES
) -> list[Case]:
    """One clip."""
    return [
        Case(
            shape=f'{frames} frames {size[0]} x {size[1]}',
            sides={
                'ours': make_ours(device, size, frames),
                'plain': make_plain(device, size, frames),
            },
            tolerance=0.02,
            samples=frames,
        )
    ]
