"""The stem of MC-JEPA's encoder as a module."""

from collections.abc import Sequence

from torch import nn

from .layers import Downsample, build_norm

NORM_CFG = dict(type='LN2d', eps=1e-6)


class SplitStem(nn.Sequential):
    """The stem of :class:`MCJEPAConvNeXt` as one module.

    A ConvNeXt of timm or mmpretrain that gets it in the place of its own
    stem computes the encoder's levels 2 to 5: their stages are the same, only
    the stem differs.

    Args:
        channels (int): Channels C of the first stage, even.
        in_channels (int): Channels of the image. Defaults to 3.
        strides (Sequence[int]): Stride, 1 or 2, of each of the three
            convolutions. Weights do not depend on it. Defaults to (2, 2, 2),
            the pretraining's; (2, 2, 1) gives the stride 4 of ConvNeXt's own
            stem.
        norm_cfg (dict): Norm of its layers, ``type`` 'LN2d', 'BN' or
            'SyncBN'. Defaults to ``dict(type='LN2d', eps=1e-6)``.

    Shape:
        (N, in_channels, H, W) to (N, C, H / s, W / s), s the product of the
        strides.

    Example:
        >>> import torch
        >>> stem = SplitStem(96)
        >>> stem(torch.zeros(1, 3, 64, 64)).shape
        torch.Size([1, 96, 8, 8])
    """

    def __init__(
        self,
        channels: int,
        *,
        in_channels: int = 3,
        strides: Sequence[int] = (2, 2, 2),
        norm_cfg: dict | None = None,
    ) -> None:
        if len(strides) != 3 or set(strides) - {1, 2}:
            raise ValueError(
                'strides must be 3 numbers, each 1 or 2, got '
                f'{tuple(strides)}.'
            )
        if channels % 2:
            raise ValueError(
                'channels must be even, because the stem has half of them '
                f'inside, got {channels}.'
            )
        norm_cfg = norm_cfg or NORM_CFG
        half = channels // 2
        super().__init__(
            nn.Sequential(
                Downsample(
                    in_channels, half, kernel_size=4, stride=strides[0]
                ),
                build_norm(norm_cfg, half),
            ),
            nn.Sequential(
                Downsample(half, half, kernel_size=3, stride=strides[1]),
                build_norm(norm_cfg, half),
            ),
            nn.Sequential(
                build_norm(norm_cfg, half),
                Downsample(half, channels, kernel_size=2, stride=strides[2]),
            ),
        )
