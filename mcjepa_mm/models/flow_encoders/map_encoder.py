from mmengine.model import BaseModule
from torch import Tensor, nn

from mcjepa_mm.registry import MODELS

STRIDE = 8


@MODELS.register_module()
class MapEncoder(BaseModule):
    """Use one map of a backbone as the encoder of mmflow's RAFT.

    A 1 x 1 convolution brings it to the channels that the model asks for, as
    the last layer of RAFT's own encoder does. The stride is 8: mmflow's RAFT
    upsamples its flow by that.

    Args:
        backbone (dict): Config of the backbone: image (N, C, H, W) to a
            tuple of maps. It should return no more than the one in use.
        out_channels (int): Channels of the result. RAFT asks for
            ``h_channels + cxt_channels`` of its context encoder.
        level (int): Index of the map in the tuple. Defaults to the last.
        in_channels (int): Channels of one image, which mmflow's models read
            to tell the two images of a pair apart. Defaults to 3.
        map_channels (int, optional): Channels of the map. By default the
            backbone's ``out_channels`` says it; mmpretrain's do not have one
            a map.
        init_cfg (dict, optional): mmengine's initialisation. It is applied
            before the backbone's own, see :class:`PyramidEncoder`.

    Raises:
        ValueError: If the map has unknown channels.

    Example:
        >>> import torch
        >>> encoder = MapEncoder(
        ...     dict(
        ...         type='mcjepa_mm.MCJEPAConvNeXt',
        ...         arch='atto',
        ...         out_indices=(2,),
        ...     ),
        ...     out_channels=256,
        ... )
        >>> encoder(torch.zeros(1, 3, 64, 64)).shape
        torch.Size([1, 256, 8, 8])
    """

    def __init__(
        self,
        backbone: dict,
        out_channels: int,
        *,
        level: int = -1,
        in_channels: int = 3,
        map_channels: int | None = None,
        init_cfg: dict | list | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.backbone = MODELS.build(backbone)
        self.level = level
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.project = nn.Conv2d(
            map_channels or self._channels(), out_channels, kernel_size=1
        )

    def _channels(self) -> int:
        known = getattr(self.backbone, 'out_channels', None)
        if not isinstance(known, (tuple, list)) or not (
            -len(known) <= self.level < len(known)
        ):
            raise ValueError(
                f'MapEncoder takes map {self.level} of '
                f'{type(self.backbone).__name__}, whose `out_channels` of '
                f'{known} do not tell its width. Set `map_channels`, or '
                'another `level`.'
            )
        return known[self.level]

    def forward(self, x: Tensor) -> Tensor:
        """Compute the map of one image of the pair.

        Args:
            x (Tensor): (N, in_channels, H, W), normalised.

        Returns:
            Tensor: (N, out_channels, H / 8, W / 8).

        Raises:
            ValueError: If the map is of another stride.
        """
        feat = self.backbone(x)[self.level]
        if any(
            size != STRIDE * cells
            for size, cells in zip(x.shape[-2:], feat.shape[-2:])
        ):
            raise ValueError(
                f'MapEncoder needs a map of stride {STRIDE}, got '
                f'{tuple(feat.shape[-2:])} from an image of '
                f'{tuple(x.shape[-2:])}. Take another `level`, set the '
                f'`strides` of {type(self.backbone).__name__}, or pad the '
                f'images to multiples of {STRIDE} pixels.'
            )
        # RAFT's decoder reshapes it with `view`, which takes no
        # channels-last memory.
        return self.project(feat).contiguous()
