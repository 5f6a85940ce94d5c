"""Feature maps of models of timm, vision transformers included."""

from collections.abc import Sequence

from mmengine.model import BaseModule
from torch import Tensor

from mcjepa_mm.registry import MODELS


@MODELS.register_module()
class TIMMFeatureMaps(BaseModule):
    """Feature maps of a model of timm.

    The tokens of a vision transformer become a map, without its class and
    register tokens and after its last norm, which mmpretrain's
    ``TIMMBackbone`` leaves out. Weights are read from a file, by timm's own
    conversion: those of timm and, of DINO, DINOv2 and DINOv3, the authors'.
    Nothing is downloaded.

    Args:
        model_name (str): A name of ``timm.list_models()``.
        out_indices (Sequence[int]): Blocks of a transformer, or stages of a
            convolutional net; negative from the end. Defaults to the last.
        init_cfg (dict, optional): ``dict(type='Pretrained',
            checkpoint=FILE)``. Defaults to None: random weights.
        **kwargs: Of ``timm.create_model``. A vision transformer with a
            position embedding needs ``dynamic_img_size=True``.

    Raises:
        FileNotFoundError: If there is no such file of weights.
        ImportError: If timm is not installed.
        ValueError: If the weights do not fit the model, or an image is no
            multiple of the patches.

    Shape:
        (N, 3, H, W), both sides multiples of a transformer's patch, to a
        tuple of (N, C, H / stride, W / stride).
    """

    def __init__(
        self,
        model_name: str,
        *,
        out_indices: Sequence[int] = (-1,),
        init_cfg: dict | None = None,
        **kwargs,
    ) -> None:
        super().__init__(init_cfg)
        self.model_name = model_name
        self.out_indices = list(out_indices)
        self.settings = dict(kwargs, num_classes=0)
        self.timm_model = _create(model_name, **self.settings)

    def init_weights(self) -> None:
        """Load the weights that ``init_cfg`` names, if any."""
        if self.init_cfg is None:
            return  # timm has drawn random ones
        path = str(self.init_cfg['checkpoint'])
        try:
            # without a classifier in either, all names have to agree
            filled = _create(
                self.model_name,
                pretrained=True,
                pretrained_cfg_overlay=dict(file=path, num_classes=0),
                **self.settings,
            )
        except FileNotFoundError:
            raise FileNotFoundError(
                f'{path}, the weights of {self.model_name}, does not exist'
            ) from None
        except (KeyError, RuntimeError) as error:
            raise ValueError(
                f'{path} does not fit {self.model_name}: {error}'
            ) from error
        self.timm_model.load_state_dict(filled.state_dict())

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Maps (N, C, h, w) of images (N, 3, H, W)."""
        patches = getattr(self.timm_model, 'patch_embed', None)
        if patches is not None and any(
            side % patch
            for side, patch in zip(x.shape[2:], patches.patch_size)
        ):
            raise ValueError(
                f'images of {x.shape[2]} x {x.shape[3]} pixels do not divide '
                f'into the {patches.patch_size[0]} x {patches.patch_size[1]} '
                f'patches of {self.model_name}; resize them to multiples: '
                '`short_side` and `multiple` of ResizeShortSide'
            )
        return tuple(
            self.timm_model.forward_intermediates(
                x, indices=self.out_indices, norm=True, intermediates_only=True
            )
        )


def _create(model_name: str, **settings):
    import timm

    return timm.create_model(model_name, **settings)
