"""Exportable flow module, built from a checkpoint."""

import os
from typing import Any

import torch
from torch import Tensor, nn

from mcjepa_mm.models.backbones import MCJEPAConvNeXt
from mcjepa_mm.models.flow import FlowDecoder, resize_flow
from mcjepa_mm.models.heads import fill_in
from mcjepa_mm.utils.checkpoint import read_checkpoint
from mcjepa_mm.utils.config_text import read_model

_TASK = 'motion'
_HEAD = f'heads.{_TASK}.decoder.'
_UNBUILT = {'type', 'init_cfg'}  # says nothing about trained weights


class FlowGraph(nn.Module):
    """Encoder and decoder of a flow estimator as one module.

    Images are neither padded nor scaled, so that a graph of it has no
    decision to take on their size. Its parts have the names that they have
    in checkpoints.

    Args:
        backbone (nn.Module): The encoder.
        decoder (nn.Module): The :class:`FlowDecoder`.
    """

    def __init__(self, backbone: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        head = nn.ModuleDict(dict(decoder=decoder))
        self.heads = nn.ModuleDict({_TASK: head})

    def forward(self, image1: Tensor, image2: Tensor) -> Tensor:
        """Estimate the flow from one image to another.

        Args:
            image1 (Tensor): (N, 3, H, W), normalised; H and W are multiples
                of the decoder's coarsest stride.
            image2 (Tensor): (N, 3, H, W), likewise.

        Returns:
            Tensor: (N, 2, H, W), x then y, in pixels, on the grid of
            ``image1``.
        """
        n = image1.shape[0]
        feats = self.backbone(torch.cat([image1, image2]))
        flow, *_ = self.heads[_TASK]['decoder'](
            [x[:n] for x in feats], [x[n:] for x in feats]
        )
        return resize_flow(flow, image1.shape[-2:])


def read_flow_graph(
    checkpoint: str | os.PathLike, config: str | os.PathLike | None = None
) -> FlowGraph:
    """Build the flow estimator of a checkpoint and fill it.

    Without a config, the one that the training left in the checkpoint is
    read as data: nothing of it is run.

    Args:
        checkpoint (str | PathLike): Of a pretraining or of an estimator.
        config (str | PathLike, optional): Its config, or the name of one of
            this package. Needed for other encoders than MCJEPAConvNeXt, and
            for checkpoints that hold no config.

    Raises:
        FileNotFoundError: If there is no such checkpoint or config.
        ValueError: If the checkpoint has no motion head, does not tell what
            to build, or does not fit.
    """
    # the inferencers are not what an export of an encoder should wait for
    from mcjepa_mm.apis.flow_model import get_flow_model
    from mcjepa_mm.apis.model_files import fill_model

    tensors, meta = read_checkpoint(checkpoint)
    if not any(
        str(k).removeprefix('module.').startswith(_HEAD) for k in tensors
    ):
        raise ValueError(
            f'{checkpoint} has no motion head, so that it has learnt no flow: '
            f'expected keys like {_HEAD + "..."!r}; give a checkpoint of a '
            'pretraining with the motion task, or export its encoder'
        )
    if config is None:
        graph = _from_record(checkpoint, meta.get('cfg'))
        fill_model(graph, checkpoint)
        return graph
    model = get_flow_model(config, checkpoint, 'cpu')
    if getattr(model, 'scale', 1) != 1:
        raise ValueError(
            f'{config} scales images before they are encoded, which a graph '
            'does not: expected test_cfg.scale of 1, got '
            f'{model.scale}'
        )
    return FlowGraph(model.backbone, model.head.decoder)


def _from_record(checkpoint: str | os.PathLike, text: Any) -> FlowGraph:
    """The model of the config that a training left, unfilled."""
    try:
        model = read_model(text)
        head = model['heads'][_TASK] if 'heads' in model else model['head']
        backbone = _settings(model['backbone'], MCJEPAConvNeXt)
        encoder = MCJEPAConvNeXt(**backbone)
        decoder = fill_in(
            head['decoder'],
            in_channels=encoder.out_channels,
            strides=encoder.out_strides,
        )
        return FlowGraph(
            encoder, FlowDecoder(**_settings(decoder, FlowDecoder))
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f'{checkpoint} does not tell how its flow estimator is built '
            f'({error}): give the config that it was trained with, --config'
        ) from error


def _settings(config: dict[str, Any], cls: type) -> dict[str, Any]:
    """The arguments of a class of this package, from its config."""
    name = str(config['type'])
    if name.removeprefix('mcjepa_mm.') != cls.__name__:
        raise ValueError(f'expected a {cls.__name__}, it has a {name}')
    return {k: v for k, v in config.items() if k not in _UNBUILT}
