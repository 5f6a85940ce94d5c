"""Build a label propagation model from a checkpoint or a config."""

import os
from collections.abc import Sequence
from typing import Any

from mmengine.config import Config
from mmengine.registry import DefaultScope

from mcjepa_mm.compat import foreign_checkpoints
from mcjepa_mm.datasets.clips import warn
from mcjepa_mm.models.backbones import BackboneCheckpoint, read_backbone
from mcjepa_mm.models.backbones.backbone_checkpoint import MEAN, STD
from mcjepa_mm.models.propagation import LabelPropagation
from mcjepa_mm.registry import MODELS

from .model_files import fill_model

_STRIDES = (2, 4, 8, 16, 32, 64)  # of the pyramid, as pretrained


def get_propagation_model(
    checkpoint: str | os.PathLike | None = None,
    config: Config | None = None,
    *,
    levels: Sequence[int] | str | None = None,
    stride: int | None = None,
    whiten: str | os.PathLike | None = None,
    shrinkage: float | None = None,
    propagator: dict[str, Any] | None = None,
    dtype: str | None = None,
) -> LabelPropagation:
    """Build a :class:`LabelPropagation` and fill it.

    Args:
        checkpoint (str | PathLike, optional): Without a config: any that has
            an MCJEPAConvNeXt, of a pretraining, of a model with its backbone
            or its own, or a name of weights of this package; it tells the
            arch. With one: fills all of the config's backbone, by keys that
            begin with ``backbone.``.
        config (Config, optional): Its ``model`` is a ``LabelPropagation``.
            Without a checkpoint its weights are what ``init_cfg`` says.
        levels (Sequence[int] | str, optional): Maps of the backbone that are
            taken, or 'all'; several are normalised, resized to ``stride`` and
            concatenated. Without a config they are levels of the pyramid,
            ascending, from 0 (stride 2) to 5 (stride 64). Defaults to None:
            the config's, else the level of ``stride``.
        stride (int, optional): Pixels from cell to cell. Defaults to None:
            the config's, else 8.
        whiten (str | PathLike, optional): 'first_frame' or a file, see
            :class:`~mcjepa_mm.models.propagation.LabelPropagation`. Defaults
            to None: the config's, else features as they are.
        shrinkage (float, optional): Of the whitening. Defaults to None: the
            config's, else 1e-3.
        propagator (dict, optional): Arguments of
            :class:`~mcjepa_mm.models.propagation.LabelPropagator`, over those
            of the config.
        dtype (str, optional): 'float32' or 'bfloat16'. Defaults to None: the
            config's, else 'float32'.

    Returns:
        LabelPropagation: On the CPU, in eval mode.

    Raises:
        FileNotFoundError: If there is no such checkpoint or file of
            statistics.
        ValueError: If there is neither checkpoint nor config, the checkpoint
            holds no encoder of colour images or does not fill the config's
            model, the config's model is another one, or an option is out of
            range.
    """
    if stride is not None and stride < 1:
        raise ValueError(f'stride must be at least 1 px, got {stride}')
    scope, found = 'mcjepa_mm', None
    if config is not None:
        settings = _settings_of(config)
        scope = config.get('default_scope') or scope
    elif checkpoint is not None:
        found = read_backbone(checkpoint, in_channels=3)
        settings = _settings_around(found, _indices(levels, stride or 8))
        levels = 'all'  # that it returns
    else:
        raise ValueError(
            'expected a checkpoint with an encoder, or the config of a '
            'LabelPropagation, got neither'
        )
    given = dict(
        levels=levels,
        stride=stride,
        whiten=whiten,
        shrinkage=shrinkage,
        dtype=dtype,
    )
    settings |= {k: v for k, v in given.items() if v is not None}
    settings['propagator'] = dict(
        settings.get('propagator') or {}, **propagator or {}
    )
    with DefaultScope.overwrite_default_scope(scope):
        model = MODELS.build(settings)
        if found is not None:
            model.backbone.load_state_dict(found.state_dict)
        elif checkpoint is not None:
            fill_model(model, checkpoint)
        else:
            warn(
                'No checkpoint is given: the weights are as the config '
                'initialises them, random where no init_cfg names some.'
            )
            foreign_checkpoints.apply()  # init_cfg may name one
            model.init_weights()
    return model.eval()


def _settings_of(config: Config) -> dict[str, Any]:
    """The config's model, if it is one that follows objects."""
    settings = dict(config.get('model') or {})
    kind = settings.get('type')
    if str(kind).rpartition('.')[2] != LabelPropagation.__name__:
        raise ValueError(
            'expected a config whose model is a LabelPropagation, such as '
            f'those in configs/vos, got {kind}'
        )
    return settings


def _settings_around(
    found: BackboneCheckpoint, out_indices: Sequence[int]
) -> dict[str, Any]:
    """A model around the encoder of a checkpoint, with DINO's protocol."""
    return dict(
        type='LabelPropagation',
        backbone=dict(
            type='MCJEPAConvNeXt',
            out_indices=tuple(out_indices),
            **found.settings,
        ),
        data_preprocessor=dict(
            type='ViewsDataPreprocessor', mean=MEAN, std=STD
        ),
    )


def _indices(levels: Sequence[int] | str | None, stride: int) -> Sequence[int]:
    """The levels of the pyramid that the encoder has to return."""
    if isinstance(levels, str):
        if levels != 'all':
            raise ValueError(f"levels are numbers or 'all', got {levels!r}")
        return range(len(_STRIDES))
    if levels is not None:
        return levels
    if stride not in _STRIDES:
        raise ValueError(
            f'no level of the pyramid has stride {stride}: expected one of '
            f'{_STRIDES}; or name levels, which are resized to any stride'
        )
    return [_STRIDES.index(stride)]
