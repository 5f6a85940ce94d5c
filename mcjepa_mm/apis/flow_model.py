"""Build a flow estimator from a config and a checkpoint."""

import os
import warnings

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.model import BaseModel
from mmengine.registry import DefaultScope

from mcjepa_mm.engine.inherited_scope import read_config
from mcjepa_mm.registry import MODELS
from mcjepa_mm.utils.checkpoint import READABLE, read_checkpoint
from mcjepa_mm.utils.config_text import read_model
from mcjepa_mm.utils.named_weights import full_name

from .model_files import fill_model, find_config

_TASK = 'motion'


def get_flow_model(
    model: str | os.PathLike | Config | BaseModel,
    pretrained: str | os.PathLike | None = None,
    device: str | torch.device | None = None,
) -> BaseModel:
    """Build or take a flow estimator, load it, and put it in eval mode.

    Args:
        model: A checkpoint that holds its config, as a training leaves it, or
            the name of weights of this package, such as 'micro'; a config
            file, the name of one of this package, a config, or the model
            itself. Of a pretraining's config the motion half is built. Of a
            config, ``bgr_to_rgb=False`` becomes True: frames are BGR here.
        pretrained (str, optional): Checkpoint of the estimator or of the
            pretraining, or the name of weights.
        device (str | torch.device, optional): Where to run. Defaults to
            None: a built model stays where it is, another goes to the GPU if
            there is one.

    Returns:
        BaseModel: The estimator, with the interface of
        :class:`~mcjepa_mm.models.MCJEPAFlow`.

    Raises:
        FileNotFoundError: If there is no such config or checkpoint.
        ValueError: If the checkpoint does not fill the model.
        TypeError: If the model cannot encode and estimate by itself.
    """
    if not isinstance(model, torch.nn.Module):
        if pretrained is None and (
            full_name(model) or str(model).endswith(READABLE)
        ):
            model, pretrained = _recorded_config(model), model
        elif not isinstance(model, Config):
            model = read_config(find_config(model))
        if pretrained is None:
            warnings.warn(
                'No checkpoint is given: the weights are random, and so is '
                'the flow.',
                stacklevel=3,
            )
        device = device or get_device()
        scope = model.get('default_scope') or 'mcjepa_mm'
        with DefaultScope.overwrite_default_scope(scope):
            model = MODELS.build(_reads_bgr(estimator_config(model.model)))
    if not hasattr(model, 'encode') or not hasattr(model, 'estimate'):
        raise TypeError(
            'expected a flow estimator that encodes frames singly, such as '
            f'MCJEPAFlow, got {type(model).__name__}; for others there is '
            'mmflow.apis.inference_model'
        )
    if pretrained is not None:
        fill_model(model, pretrained)
    if device is not None:
        model.to(device)
    return model.eval()


def _recorded_config(name: str | os.PathLike) -> Config:
    """The config that is written into a checkpoint."""
    meta = read_checkpoint(name)[1]
    if 'cfg' not in meta:
        raise ValueError(
            f'the weights {name} hold an encoder and no flow, or no config to '
            'build it from; give a config and a checkpoint with the motion '
            'task'
        )
    return Config(dict(model=read_model(meta['cfg'])))


def _reads_bgr(model: dict) -> dict:
    """The config with a preprocessor that turns BGR to RGB.

    Frames come as BGR here. Where a config says that its data do not have to
    be turned, that is said of data in RGB, such as the embedded world.
    """
    preprocessor = model.get('data_preprocessor') or {}
    if preprocessor.get('bgr_to_rgb') is not False:
        return model
    return dict(model, data_preprocessor=dict(preprocessor, bgr_to_rgb=True))


def estimator_config(model: dict) -> dict:
    """The config of the motion half, if it is a pretrainer's.

    Raises:
        ValueError: If it has no motion task.
    """
    if str(model['type']).rpartition('.')[2] != 'MultiTaskPretrainer':
        return model
    head = model['heads'].get(_TASK)
    if head is None:
        raise ValueError(
            f'the pretraining has no task {_TASK!r}, so that it has learnt '
            f'no flow; its tasks are {list(model["heads"])}'
        )
    norm = model['data_preprocessor']['tasks'][_TASK]
    # whoever trains the estimator says anew what is frozen
    backbone = dict(model['backbone'])
    backbone.pop('frozen_stages', None)
    return dict(
        type='mcjepa_mm.MCJEPAFlow',
        backbone=backbone,
        head=head,
        data_preprocessor=dict(
            type='mmflow.FlowDataPreprocessor',
            mean=norm['mean'],
            std=norm['std'],
            bgr_to_rgb=True,
        ),
    )
