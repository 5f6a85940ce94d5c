from collections.abc import Sequence

from mmengine.model import BaseModule
from torch import Tensor

from mcjepa_mm.registry import MODELS


@MODELS.register_module()
class PyramidEncoder(BaseModule):
    """Use a backbone as the encoder of mmflow's PWC-Net.

    mmflow's encoders return a dict by the name of the level, where the
    backbones of all other OpenMMLab projects return a tuple.

    The weights are initialised by the backbone's own ``init_cfg``: mmengine
    applies the model's first, to every layer of every part, and the parts'
    own afterwards. A backbone that has none keeps what the model's says, so
    weights that it loads in its constructor would be lost.

    Args:
        backbone (dict): Config of the backbone: image (N, C, H, W) to a
            tuple of maps, fine to coarse.
        level_names (Sequence[str]): A name for each of the maps. mmflow's
            'level1' has stride 2 and 'level6' stride 64, the default.
        in_channels (int): Channels of one image, which mmflow's models read
            to tell the two images of a pair apart. Defaults to 3.
        init_cfg (dict, optional): mmengine's initialisation.

    Example:
        >>> import torch
        >>> encoder = PyramidEncoder(
        ...     dict(type='mcjepa_mm.MCJEPAConvNeXt', arch='atto')
        ... )
        >>> encoder(torch.zeros(1, 3, 64, 64))['level2'].shape
        torch.Size([1, 20, 16, 16])
    """

    def __init__(
        self,
        backbone: dict,
        level_names: Sequence[str] = (
            'level1',
            'level2',
            'level3',
            'level4',
            'level5',
            'level6',
        ),
        in_channels: int = 3,
        init_cfg: dict | list | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.backbone = MODELS.build(backbone)
        self.level_names = tuple(level_names)
        self.in_channels = in_channels

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Compute the pyramid of one image of the pair.

        Args:
            x (Tensor): (N, in_channels, H, W), normalised.

        Returns:
            dict[str, Tensor]: (N, C_l, H_l, W_l) by the level's name.

        Raises:
            ValueError: If the backbone has not one map a name.
        """
        maps = self.backbone(x)
        if len(maps) != len(self.level_names):
            raise ValueError(
                f'PyramidEncoder names {len(self.level_names)} levels, '
                f'{self.level_names}, but {type(self.backbone).__name__} '
                f'returned {len(maps)} maps. Set its `out_indices` or '
                '`level_names`.'
            )
        return dict(zip(self.level_names, maps))
