import copy
import math
from collections.abc import Sequence
from itertools import chain

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mcjepa_mm.registry import MODELS

from .layers import ConvNeXtBlock, Downsample, build_norm
from .split_stem import NORM_CFG, SplitStem

# Depths and widths of the ConvNeXt family: arXiv 2201.03545 for tiny and up,
# arXiv 2301.00808 for the smaller ones.
ARCHS = {
    'atto': dict(depths=(2, 2, 6, 2), channels=(40, 80, 160, 320)),
    'femto': dict(depths=(2, 2, 6, 2), channels=(48, 96, 192, 384)),
    'pico': dict(depths=(2, 2, 6, 2), channels=(64, 128, 256, 512)),
    'nano': dict(depths=(2, 2, 8, 2), channels=(80, 160, 320, 640)),
    'tiny': dict(depths=(3, 3, 9, 3), channels=(96, 192, 384, 768)),
    'small': dict(depths=(3, 3, 27, 3), channels=(96, 192, 384, 768)),
    'base': dict(depths=(3, 3, 27, 3), channels=(128, 256, 512, 1024)),
    'large': dict(depths=(3, 3, 27, 3), channels=(192, 384, 768, 1536)),
}
NUM_LEVELS = 6
INIT_CFG = dict(
    type='TruncNormal',
    layer=['Conv2d', 'Downsample', 'Linear'],
    std=0.02,
    bias=0.0,
)


@MODELS.register_module()
class MCJEPAConvNeXt(BaseModule):
    """The shared encoder of MC-JEPA: a ConvNeXt with a six-level pyramid.

    The stride-4 stem of ConvNeXt is split into two convolutions, kernels 4
    and 3, so that every step of the pyramid halves the resolution (paper
    section 3, P; strides, widths and norms of the two: T):

    ===== ====================================== ========== ===========
    level made of                                channels   stride
    ===== ====================================== ========== ===========
    0     conv k4 s2, norm                       C / 2      2
    1     conv k3 s2, norm                       C / 2      4
    2..5  norm, conv k2 s2, ConvNeXt blocks      C, ... 8C  8 ... 64
    ===== ====================================== ========== ===========

    ``stages.*`` and ``downsample_layers.[1-3].*`` carry mmpretrain's names
    and shapes, so a published ConvNeXt checkpoint of the same arch loads into
    them. Its stem has no counterpart here and is left out. Loading a
    checkpoint in which no key fits is an error.

    Args:
        arch (str | dict): 'atto', 'femto', 'pico', 'nano', 'tiny', 'small',
            'base' or 'large', or a dict with ``depths`` and ``channels`` of
            the four stages. Defaults to 'tiny', the paper's.
        in_channels (int): Channels of the image. Defaults to 3.
        out_indices (Sequence[int] | int): The levels that are returned, 0
            (finest) to 5; negative ones count from the end. Defaults to all.
        strides (Sequence[int]): Stride, 1 or 2, of each of the six
            downsampling convolutions. Weights do not depend on it, so a
            downstream task may ask for larger maps than the pretraining.
            Defaults to (2, 2, 2, 2, 2, 2).
        drop_path_rate (float): Stochastic depth of the last block; it grows
            linearly from 0 at the first one. Defaults to 0.
        layer_scale_init_value (float): Start of the layer scale; 0 turns it
            off. Defaults to 1e-6, ConvNeXt's. (VICRegL's recipe, from the
            same first author, turns it off.)
        norm_cfg (dict): Norm of all layers, ``type`` 'LN2d', 'BN' or
            'SyncBN'. Defaults to ``dict(type='LN2d', eps=1e-6)``.
        norm_eval (bool): Keep the norm layers in eval mode while training,
            so that the running statistics of BN stay as they are. Defaults
            to False.
        frozen_stages (int): The first so many levels are in eval mode and
            have no gradient. Defaults to 0.
        with_cp (bool): Recompute every block in backward, which saves memory
            and costs time. Defaults to False.
        contiguous (bool): Return maps in torch's default memory layout, as
            most backbones do and heads that use ``view`` expect, at the cost
            of a copy. Defaults to False, channels-last.
        init_cfg (dict | list[dict], optional): mmengine's initialisation;
            by default truncated normal with std 0.02.

    Attributes:
        out_channels (tuple[int]): Channels of each returned level.
        out_strides (tuple[int]): Stride of each returned level.

    Raises:
        ValueError: Unknown arch, out_indices, strides or frozen_stages; an
            image smaller than the largest stride; a checkpoint without one
            key that fits.

    Example:
        >>> model = MCJEPAConvNeXt(arch='atto')
        >>> [tuple(x.shape) for x in model(torch.zeros(1, 3, 128, 128))]
        [(1, 20, 64, 64), (1, 20, 32, 32), (1, 40, 16, 16), (1, 80, 8, 8), \
(1, 160, 4, 4), (1, 320, 2, 2)]
    """

    def __init__(
        self,
        arch: str | dict = 'tiny',
        *,
        in_channels: int = 3,
        out_indices: Sequence[int] | int = (0, 1, 2, 3, 4, 5),
        strides: Sequence[int] = (2, 2, 2, 2, 2, 2),
        drop_path_rate: float = 0.0,
        layer_scale_init_value: float = 1e-6,
        norm_cfg: dict | None = None,
        norm_eval: bool = False,
        frozen_stages: int = 0,
        with_cp: bool = False,
        contiguous: bool = False,
        init_cfg: dict | list | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg or copy.deepcopy(INIT_CFG))
        norm_cfg = norm_cfg or NORM_CFG
        depths, channels = _parse_arch(arch)
        self.out_indices = _parse_out_indices(out_indices)
        if len(strides) != NUM_LEVELS or set(strides) - {1, 2}:
            raise ValueError(
                f'strides must be {NUM_LEVELS} numbers, each 1 '
                f'or 2, got {tuple(strides)}.'
            )
        if not 0 <= frozen_stages <= NUM_LEVELS:
            raise ValueError(
                f'frozen_stages must be 0 to {NUM_LEVELS}, got '
                f'{frozen_stages}.'
            )
        self.contiguous = contiguous
        self.norm_eval = norm_eval
        self.frozen_stages = frozen_stages

        level_channels = (channels[0] // 2,) * 2 + tuple(channels)
        level_strides = torch.tensor(strides).cumprod(0).tolist()
        self.total_stride = level_strides[-1]
        self.out_channels = tuple(level_channels[i] for i in self.out_indices)
        self.out_strides = tuple(level_strides[i] for i in self.out_indices)

        *stem, before_stages = SplitStem(
            channels[0],
            in_channels=in_channels,
            strides=strides[:3],
            norm_cfg=norm_cfg,
        )
        self.stem = nn.ModuleList(stem)
        self.downsample_layers = nn.ModuleList([before_stages])
        self.stages = nn.ModuleList()
        rates = iter(torch.linspace(0, drop_path_rate, sum(depths)).tolist())
        for i, (depth, width) in enumerate(zip(depths, channels)):
            if i:
                self.downsample_layers.append(
                    nn.Sequential(
                        build_norm(norm_cfg, channels[i - 1]),
                        Downsample(
                            channels[i - 1],
                            width,
                            kernel_size=2,
                            stride=strides[i + 2],
                        ),
                    )
                )
            self.stages.append(
                nn.Sequential(
                    *[
                        ConvNeXtBlock(
                            width,
                            drop_path_rate=next(rates),
                            layer_scale_init_value=layer_scale_init_value,
                            norm_cfg=norm_cfg,
                            with_cp=with_cp,
                        )
                        for _ in range(depth)
                    ]
                )
            )
        self.register_load_state_dict_pre_hook(_fit_state_dict)
        self._freeze()

    def init_weights(self) -> None:
        """Initialise by ``init_cfg``; a checkpoint must fill all weights."""
        with self.register_load_state_dict_pre_hook(_refuse_part):
            super().init_weights()

    def level(self, index: int) -> tuple[nn.Module, ...]:
        """Modules, in order, from level index - 1 to index."""
        if index < 2:
            return (self.stem[index],)
        return self.downsample_layers[index - 2], self.stages[index - 2]

    def get_layer_depth(
        self, param_name: str, prefix: str = ''
    ) -> tuple[int, int]:
        """Group of a parameter for layer-wise learning rate decay.

        ConvNeXt's groups: what stands before the first stage, the first and
        the second stage, three blocks each of the third, the fourth.
        mmpretrain's models ask for it by this name.

        Args:
            param_name (str): Full name of the parameter.
            prefix (str): What the names of the backbone's begin with.

        Returns:
            tuple[int, int]: Its group, from 0 at the image, and the number
            of groups; the last group is everything outside the backbone.
        """
        last = 3 + math.ceil(len(self.stages[2]) / 3)
        if not param_name.startswith(prefix):
            return last + 1, last + 2
        kind, index, *rest = param_name.removeprefix(prefix).split('.')
        stage = int(index)
        if kind == 'stem' or (kind == 'downsample_layers' and stage == 0):
            group = 0
        elif kind == 'stages' and stage == 2:
            group = 3 + int(rest[0]) // 3
        else:
            group = (1, 2, 3, last)[stage]
        return group, last + 2

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Compute the pyramid.

        Args:
            x (Tensor): (N, in_channels, H, W), normalised image.

        Returns:
            tuple[Tensor]: The levels of ``out_indices``, each
            (N, C_l, H / stride_l, W / stride_l), memory channels-last unless
            ``contiguous``.
        """
        if min(x.shape[-2:]) < self.total_stride:
            raise ValueError(
                f'MCJEPAConvNeXt has a total stride of {self.total_stride}: '
                f'it needs images of at least {self.total_stride} x '
                f'{self.total_stride} pixels, got {x.shape[-2]} x '
                f'{x.shape[-1]}. Give larger images or lower `strides`.'
            )
        # All that follows keeps the layout. On a CPU the gradient of depthwise
        # weights takes ten times as long in the other one.
        x = x.contiguous(memory_format=torch.channels_last)
        outs = {}
        for i in range(max(self.out_indices) + 1):
            for module in self.level(i):
                x = module(x)
            outs[i] = x
        maps = (outs[i] for i in self.out_indices)
        return tuple(x.contiguous() if self.contiguous else x for x in maps)

    def train(self, mode: bool = True) -> 'MCJEPAConvNeXt':
        super().train(mode)
        self._freeze()
        if mode and self.norm_eval:
            for module in self.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()
        return self

    def _freeze(self) -> None:
        for module in chain(*map(self.level, range(self.frozen_stages))):
            module.eval()
            module.requires_grad_(False)


def _parse_arch(arch: str | dict) -> tuple[tuple, tuple]:
    """Depths and channels of the four stages, checked."""
    if isinstance(arch, str):
        if arch not in ARCHS:
            raise ValueError(
                f'arch must be one of {list(ARCHS)} or a dict '
                f'with `depths` and `channels`, got {arch!r}.'
            )
        arch = ARCHS[arch]
    if set(arch) != {'depths', 'channels'} or any(
        len(arch[key]) != 4 for key in arch
    ):
        raise ValueError(
            'An arch dict must hold `depths` and `channels`, '
            f'four numbers each, got {dict(arch)}.'
        )
    if any(width % 2 for width in arch['channels']):
        raise ValueError(
            'The channels of an arch must be even, because the '
            f'stem has half of them, got {arch["channels"]}.'
        )
    return tuple(arch['depths']), tuple(arch['channels'])


def _parse_out_indices(out_indices: Sequence[int] | int) -> tuple[int, ...]:
    """Non-negative, ascending level indices."""
    given = [out_indices] if isinstance(out_indices, int) else out_indices
    indices = [i + NUM_LEVELS if i < 0 else i for i in given]
    if (
        not indices
        or indices != sorted(set(indices))
        or not 0 <= indices[0] <= indices[-1] < NUM_LEVELS
    ):
        raise ValueError(
            'out_indices must be different levels in ascending order, each '
            f'from -{NUM_LEVELS} to {NUM_LEVELS - 1}, got {out_indices}.'
        )
    return tuple(indices)


def _fit_state_dict(
    module: MCJEPAConvNeXt, state_dict: dict, prefix: str, *_
) -> None:
    """Convert a published ConvNeXt's keys; refuse keys that do not fit.

    A hook that runs before every load, whoever loads (torch, mmengine's
    ``load_checkpoint``, ``init_cfg=dict(type='Pretrained')``): mmengine only
    warns when nothing matches, and a backbone that silently stayed random is
    the commonest complaint about checkpoints.
    """
    stem = f'{prefix}downsample_layers.0.'
    if state_dict.get(f'{stem}0.weight', torch.empty(0)).dim() == 4:
        # ConvNeXt's patchify convolution. Here that name is the norm before
        # the first stage.
        for key in [k for k in state_dict if k.startswith(stem)]:
            del state_dict[key]
    own = module.state_dict()
    if not any(
        f'{prefix}{key}' in state_dict
        and state_dict[f'{prefix}{key}'].shape == value.shape
        for key, value in own.items()
    ):
        found = [k for k in state_dict if k.startswith(prefix)] or state_dict
        has = [f'{k!r} {_shape(state_dict[k])}' for k in list(found)[:3]]
        key, value = next(iter(own.items()))
        raise ValueError(
            'No key of the checkpoint fits MCJEPAConvNeXt. It expects keys '
            f'like {prefix + key!r} {_shape(value)}, the checkpoint has keys '
            f'like {", ".join(has)}. Name the right `prefix` in '
            "init_cfg=dict(type='Pretrained', checkpoint=..., prefix=...), "
            'or give a checkpoint of the same arch.'
            + say_settings(state_dict, prefix)
        )


def _refuse_part(
    module: MCJEPAConvNeXt, state_dict: dict, prefix: str, *_
) -> None:
    """Refuse a checkpoint that fills the encoder only in part.

    But for a published ConvNeXt's: it has no such stem.
    """
    own = module.state_dict()
    stem = ('stem.', 'downsample_layers.0.')
    if not any(key.startswith(prefix + stem[0]) for key in state_dict):
        own = {k: v for k, v in own.items() if not k.startswith(stem)}
    unfit = [
        f'{prefix + key!r} {_shape(value)}'
        for key, value in own.items()
        if _shape(state_dict.get(prefix + key)) != value.shape
    ]
    if unfit:
        raise ValueError(
            'The checkpoint of init_cfg does not fill MCJEPAConvNeXt: '
            f'{len(unfit)} of {len(own)} tensors are missing there or of '
            f'another shape, such as {", ".join(unfit[:3])}.'
            + say_settings(state_dict, prefix)
        )


def say_settings(state_dict: dict, prefix: str) -> str:
    """Settings of the encoder in a checkpoint, for messages."""
    from .backbone_checkpoint import backbone_settings

    keys = {
        key.removeprefix(prefix): value
        for key, value in state_dict.items()
        if key.startswith(prefix)
    }
    stages = {f'stages.{i}.0.depthwise_conv.weight' for i in range(4)}
    if not stages <= keys.keys():
        return ''
    settings = backbone_settings(keys, 'the checkpoint')
    said = ', '.join(f'{k}={v!r}' for k, v in settings.items())
    return f' The checkpoint has an MCJEPAConvNeXt({said}).'


def _shape(value: object) -> tuple[int, ...]:
    return tuple(getattr(value, 'shape', ()))
