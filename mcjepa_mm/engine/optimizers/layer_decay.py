"""Layer-wise learning rate decay."""

from mmengine.optim import DefaultOptimWrapperConstructor
from torch import nn

from mcjepa_mm.registry import OPTIM_WRAPPER_CONSTRUCTORS


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class LayerDecayOptimWrapperConstructor(DefaultOptimWrapperConstructor):
    """mmengine's default constructor with layer-wise rate decay.

    The learning rate of a parameter is multiplied with
    ``layer_decay_rate ** (groups - 1 - group)``, where the backbone's
    ``get_layer_depth`` tells the group: the stem has the lowest rate,
    everything outside the backbone the full one (ConvNeXt, arXiv 2201.03545,
    appendix A.3; BEiT before that).

    mmsegmentation's constructor of this kind knows the parameter names of a
    few backbones and gives others the head's rate; mmpretrain's asks the
    model, and only its own models answer.

    Args:
        optim_wrapper_cfg (dict): See mmengine's constructor.
        paramwise_cfg (dict): ``layer_decay_rate`` (float), and whatever
            mmengine's constructor understands: with ``flat_decay_mult=0``
            norms, biases and layer scales have no weight decay.

    Raises:
        KeyError: Without a ``layer_decay_rate``.
        TypeError: If the model's backbone has no ``get_layer_depth``.
    """

    def __init__(
        self, optim_wrapper_cfg: dict, paramwise_cfg: dict | None = None
    ) -> None:
        super().__init__(optim_wrapper_cfg, paramwise_cfg)
        if 'layer_decay_rate' not in self.paramwise_cfg:
            raise KeyError(
                'expected a layer_decay_rate in paramwise_cfg, got '
                f'{sorted(self.paramwise_cfg)}'
            )

    def add_params(
        self, params: list[dict], module: nn.Module, prefix: str = '', **kwargs
    ) -> None:
        """Add a group for every parameter; see mmengine's constructor."""
        super().add_params(params, module, prefix=prefix, **kwargs)
        if prefix:  # it calls itself for every part of the model
            return
        backbone = getattr(module, 'backbone', None)
        if backbone is None or not hasattr(backbone, 'get_layer_depth'):
            raise TypeError(
                f'the backbone {type(backbone).__name__} has no '
                'get_layer_depth, so its layers cannot have rates of their '
                'own; take the default constructor'
            )
        names = {id(param): name for name, param in module.named_parameters()}
        rate = self.paramwise_cfg['layer_decay_rate']
        for group in params:
            name = names[id(group['params'][0])]
            depth, groups = backbone.get_layer_depth(name, 'backbone.')
            lr = group.get('lr', self.base_lr)
            group['lr'] = lr * rate ** (groups - 1 - depth)
