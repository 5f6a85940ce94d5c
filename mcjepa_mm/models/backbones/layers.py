"""Layers of a ConvNeXt."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ..exporting import is_torch_export
from .cpu_ops import DepthwiseConv, pointwise_mlp

NORM_LAYERS = {'BN': nn.BatchNorm2d, 'SyncBN': nn.SyncBatchNorm}


class LayerNorm2d(nn.LayerNorm):
    """Layer normalisation over the channels of a feature map.

    The result is left as a permuted view, so its memory is channels-last
    whatever the input's was, and no copy is made of an input that is
    channels-last already.

    Shape:
        Input and output: (N, C, H, W).
    """

    def channels_last(self, x: Tensor) -> Tensor:
        """Normalise without the last permute: (N, C, H, W) to (N, H, W, C)."""
        return F.layer_norm(
            x.permute(0, 2, 3, 1),
            self.normalized_shape,
            self.weight,
            self.bias,
            self.eps,
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.channels_last(x).permute(0, 3, 1, 2)


NORM_LAYERS['LN2d'] = LayerNorm2d


def build_norm(norm_cfg: dict, channels: int) -> nn.Module:
    """Build a normalisation layer for maps of ``channels`` channels.

    Args:
        norm_cfg (dict): ``type`` is one of ``NORM_LAYERS``; every other key
            is handed to the layer.
        channels (int): Number of channels C of its input (N, C, H, W).

    Raises:
        ValueError: For an unknown type.
    """
    cfg = dict(norm_cfg)
    name = cfg.pop('type')
    if name not in NORM_LAYERS:
        raise ValueError(
            f"norm_cfg['type'] must be one of "
            f'{sorted(NORM_LAYERS)}, got {name!r}.'
        )
    return NORM_LAYERS[name](channels, **cfg)


class DropPath(nn.Module):
    """Drop a whole residual branch per sample (stochastic depth).

    Args:
        rate (float): Probability in [0, 1) that a sample loses its branch.
            The survivors are scaled by ``1 / (1 - rate)``.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.rate == 0.0:
            return x
        keep = 1.0 - self.rate
        mask = x.new_empty((x.shape[0],) + (1,) * (x.dim() - 1))
        return x * mask.bernoulli_(keep) / keep

    def extra_repr(self) -> str:
        return f'rate={self.rate}'


class Downsample(nn.Conv2d):
    """Strided convolution whose stride may be lowered for same weights.

    It pads so that the output of an (H, W) input is (H, W) with stride 1 and
    half of it with stride 2. A kernel of odd size is padded evenly. One of
    even size with stride 1 needs an odd number of padded rows; the larger
    share goes below and to the right, where stride 2 has its next cell.

    Args:
        in_channels (int): Channels of the input.
        out_channels (int): Channels of the output.
        kernel_size (int): Kernel size.
        stride (int): 1 or 2.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        kernel_size: int,
        stride: int,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride=stride)
        if kernel_size % 2:
            before = after = kernel_size // 2
        else:
            before = (kernel_size - stride) // 2
            after = kernel_size - stride - before
        self.same_padding = (before, after, before, after)

    def forward(self, x: Tensor) -> Tensor:
        padding: tuple[int, ...] = self.same_padding
        if is_torch_export():
            padding = self._read_padding(x)
        if any(padding):
            x = F.pad(x, padding)
        return super().forward(x)

    def _read_padding(self, x: Tensor) -> tuple[int, ...]:
        """Padding less the rows that no cell of stride 2 reads.

        Then half of a size of 64 * n is 32 * n to torch.export, and not
        (64 * n - 1) // 2 + 1, which it cannot simplify at the next level.
        """
        before, after, *_ = self.same_padding
        odd = self.kernel_size[0] % 2 and self.stride[0] == 2
        rows, columns = (
            after - 1 if odd and size % 2 == 0 else after
            for size in x.shape[-2:]
        )
        return before, columns, before, rows


class ConvNeXtBlock(nn.Module):
    """The residual block of ConvNeXt (arXiv 2201.03545).

    Depthwise 7 x 7, norm, and an MLP of ratio 4 over the channels. The names
    of its parameters are mmpretrain's, so published weights load. The two
    linear layers hold weights only and are not called: hooks on them, or
    other layers in their place, have no effect.

    Args:
        channels (int): Channels of input and output.
        drop_path_rate (float): Rate of stochastic depth.
        layer_scale_init_value (float): Start value of the layer scale; 0
            builds the block without one.
        norm_cfg (dict): See :func:`build_norm`.
        with_cp (bool): Recompute the block in backward to save memory.
    """

    def __init__(
        self,
        channels: int,
        *,
        drop_path_rate: float,
        layer_scale_init_value: float,
        norm_cfg: dict,
        with_cp: bool,
    ) -> None:
        super().__init__()
        self.depthwise_conv = DepthwiseConv(channels, kernel_size=7)
        self.norm = build_norm(norm_cfg, channels)
        self.pointwise_conv1 = nn.Linear(channels, 4 * channels)
        self.pointwise_conv2 = nn.Linear(4 * channels, channels)
        self.gamma = None
        if layer_scale_init_value > 0:
            self.gamma = nn.Parameter(
                layer_scale_init_value * torch.ones(channels)
            )
        self.drop_path = DropPath(drop_path_rate)
        self.with_cp = with_cp

    def residual(self, x: Tensor) -> Tensor:
        """Compute the residual branch, (N, C, H, W) to (N, C, H, W)."""
        x = self.norm(self.depthwise_conv(x)).permute(0, 2, 3, 1)
        first, second = self.pointwise_conv1, self.pointwise_conv2
        weight, bias, gamma = second.weight, second.bias, self.gamma
        if gamma is not None and not _is_float16(x):
            # Scales weights in place of the map, which is larger. In float16
            # a small gamma times a weight would be 0.
            weight, bias, gamma = gamma[:, None] * weight, gamma * bias, None
        x = pointwise_mlp(x, first.weight, first.bias, weight, bias)
        if gamma is not None:
            x = x * gamma
        return x.permute(0, 3, 1, 2)

    def forward(self, x: Tensor) -> Tensor:
        if self.with_cp and x.requires_grad:
            branch = checkpoint(self.residual, x, use_reentrant=False)
        else:
            branch = self.residual(x)
        return x + self.drop_path(branch)


def _is_float16(x: Tensor) -> bool:
    """Whether autocast would run a linear layer in float16."""
    device = x.device.type
    if torch.is_autocast_enabled(device):
        return torch.get_autocast_dtype(device) == torch.float16
    return x.dtype == torch.float16
