"""Convert checkpoints to and from timm's and mmpretrain's ConvNeXt."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from mcjepa_mm.models.backbones.backbone_checkpoint import (
    PREFIXES,
    backbone_settings,
)
from mcjepa_mm.models.backbones.convnext import ARCHS, MCJEPAConvNeXt
from mcjepa_mm.utils.checkpoint import (
    SUFFIXES,
    compare_state_dict,
    encode_checkpoint,
    origin,
    read_checkpoint,
    refuse_existing,
    write_new,
)
from mcjepa_mm.version import __version__

from .key_names import LIBRARIES, STEM, library_of, rename
from .stem_fitting import StemFit, fit_stem

# What a ConvNeXt has, and MCJEPAConvNeXt has not: another stem, norms behind
# the stages, a classifier.
_ABSENT = re.compile(r'(stem|downsample_layers\.0|norm_pre|norm\d|head)\.')
_STEM = ('stem.', 'downsample_layers.0.')
# What the names of a published stem begin with.
_PUBLISHED_STEM = dict(timm='stem.', mmpretrain='downsample_layers.0.')
_FULLY_CONNECTED = re.compile(r'.*\.pointwise_conv[12]\.weight')


@dataclass(frozen=True)
class Conversion:
    """Result of a checkpoint conversion.

    Attributes:
        source (str): Whose names it had: 'mcjepa', 'mmpretrain' or 'timm'.
        settings (dict): Arguments of the target's ConvNeXt that its weights
            decide; they are in the ``meta`` of the file as well.
        taken (int): Number of tensors written.
        left_out (tuple[str]): Those of the source that have no counterpart.
        missing (tuple[str]): Those of MCJEPAConvNeXt that the file has not.
        stem (StemFit, optional): The stem that was fitted, if one was.
    """

    source: str
    settings: dict[str, Any]
    taken: int
    left_out: tuple[str, ...]
    missing: tuple[str, ...]
    stem: StemFit | None = None


def convert_keys(
    checkpoint: str | os.PathLike,
    out: str | os.PathLike,
    *,
    to: str,
    conv_mlp: bool = False,
    stem_images: str | os.PathLike | None = None,
    seed: int = 0,
) -> Conversion:
    """Write an encoder under the names that another library has for it.

    Nothing is lost from MCJEPAConvNeXt to a ConvNeXt of timm or mmpretrain
    that has :class:`~mcjepa_mm.models.backbones.SplitStem` in the place of
    its stem, and back. Of a ConvNeXt as published, MCJEPAConvNeXt takes all
    but the stem, the norms behind the stages and the classifier.

    Args:
        checkpoint (str | PathLike): Checkpoint of an encoder, or of a model
            that has it as ``backbone``; ``.safetensors`` or torch's.
        out (str | PathLike): File to write, ``.pth`` or ``.safetensors``. In
            a ``.pth`` the names for OpenMMLab begin with ``backbone.``.
        to (str): 'mcjepa', 'mmpretrain' or 'timm'.
        conv_mlp (bool): The fully connected layers of the blocks become 1 x 1
            convolutions, for timm's ``conv_mlp=True`` and mmpretrain's
            ``linear_pw_conv=False``. Defaults to False.
        stem_images (str | PathLike, optional): Folder of images to which the
            stem of MCJEPAConvNeXt is fitted, see
            :func:`~mcjepa_mm.apis.stem_fitting.fit_stem`. By default the file
            has none if the checkpoint is a ConvNeXt as published.
        seed (int): Of the fit. Defaults to 0.

    Returns:
        Conversion: What was written and what was not.

    Raises:
        FileExistsError: If ``out`` is there.
        FileNotFoundError, ImportError: As
            :func:`~mcjepa_mm.utils.checkpoint.read_checkpoint`.
        ValueError: If the checkpoint holds no ConvNeXt that MCJEPAConvNeXt
            could be, or ``to`` is not for it, or there is no stem to fit.
    """
    out = Path(out)
    refuse_existing(out)
    if to not in LIBRARIES:
        raise ValueError(f'to must be one of {LIBRARIES}, got {to!r}')
    if out.suffix not in SUFFIXES:
        raise ValueError(
            f'{out} must end in {" or ".join(SUFFIXES)}, by which the format '
            'is chosen'
        )
    if conv_mlp and to == 'mcjepa':
        raise ValueError(
            'MCJEPAConvNeXt has no 1 x 1 convolutions in its blocks: leave '
            'conv_mlp out'
        )
    tensors, meta = read_checkpoint(checkpoint)
    source, tensors, others = _find(tensors, checkpoint)
    if source == to:
        raise ValueError(f'{checkpoint} has the names of {to} already')
    weights, left_out = _to_mcjepa(tensors, source, checkpoint)
    settings = backbone_settings(weights, checkpoint)
    missing = _missing(weights, settings, checkpoint)
    stem = None
    if stem_images is not None:
        if not missing or to != 'mcjepa':
            raise ValueError(
                f'{checkpoint} from {source} to {to} leaves no stem to fit: '
                'name images only to convert a ConvNeXt as published to '
                'mcjepa'
            )
        prefix = _PUBLISHED_STEM[source]
        stem = fit_stem(
            {
                key.removeprefix(prefix): tensors[key]
                for key in left_out
                if key.startswith(prefix)
            },
            stem_images,
            seed=seed,
        )
        weights, missing = dict(weights, **stem.state_dict), ()
        left_out = tuple(x for x in left_out if not x.startswith(prefix))
    if missing and to != 'mcjepa':
        raise ValueError(
            f'{checkpoint} has another stem than MCJEPAConvNeXt: it can be '
            f'converted to mcjepa, without its stem, and not to {to}'
        )
    if to != 'mcjepa':
        settings = _settings(to, settings, conv_mlp)
        if conv_mlp:
            weights = {
                key: value[:, :, None, None]
                if _FULLY_CONNECTED.fullmatch(key)
                else value
                for key, value in weights.items()
            }
        weights = {rename(k, 'mcjepa', to) or k: v for k, v in weights.items()}
    meta = dict(
        library=to,
        settings=settings,
        mcjepa_mm_version=__version__,
        **origin(meta),
    )
    if stem:
        meta['stem_error'] = stem.error
    content = encode_checkpoint(
        weights,
        meta,
        suffix=out.suffix,
        prefix='' if to == 'timm' else 'backbone.',
    )
    write_new(out, content)
    if source != 'mcjepa':
        left_out = (*left_out, *others)
    return Conversion(source, settings, len(weights), left_out, missing, stem)


def library_of_checkpoint(checkpoint: str | os.PathLike) -> str:
    """Whose names a checkpoint's ConvNeXt has: one of ``LIBRARIES``."""
    tensors, _ = read_checkpoint(checkpoint)
    return _find(tensors, checkpoint)[0]


def _find(
    tensors: dict[str, Tensor], path: str | os.PathLike
) -> tuple[str, dict[str, Tensor], tuple[str, ...]]:
    """Whose ConvNeXt it is, its weights, and the names of all others."""
    for prefix in PREFIXES:
        weights = {
            str(key).removeprefix(prefix): value
            for key, value in tensors.items()
            if str(key).startswith(prefix)
        }
        if library := library_of(weights):
            names = [str(key) for key in tensors]
            others = tuple(x for x in names if not x.startswith(prefix))
            return library, weights, others
    raise ValueError(
        f'{path} holds no ConvNeXt of {", ".join(LIBRARIES)}: expected names '
        "like 'stages.0.0.depthwise_conv.weight' or "
        "'stages.0.blocks.0.conv_dw.weight', it has "
        f'{[str(key) for key in list(tensors)[:3]]}'
    )


def _to_mcjepa(
    tensors: dict[str, Tensor], source: str, path: str | os.PathLike
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """The weights with our names and shapes, and the names of the others."""
    weights, left_out = {}, []
    for key, value in tensors.items():
        name = rename(key, source, 'mcjepa')
        if name is not None:
            if _FULLY_CONNECTED.fullmatch(name) and value.dim() == 4:
                value = value.flatten(1)
            weights[name] = value
        elif '.grn.' in key:
            raise ValueError(
                f'{path} is a ConvNeXt V2 with global response norm '
                f'({key!r}), which MCJEPAConvNeXt has not'
            )
        elif _ABSENT.match(key):
            left_out.append(key)
        else:
            raise ValueError(
                f'{path} is no ConvNeXt as MCJEPAConvNeXt knows it: it has '
                f'no place for {key!r}'
            )
    return weights, tuple(left_out)


def _missing(
    weights: dict[str, Tensor],
    settings: dict[str, Any],
    path: str | os.PathLike,
) -> tuple[str, ...]:
    """Check the weights against the model, and name those of a stem."""
    wanted = MCJEPAConvNeXt(**settings).state_dict()
    missing, wrong, unknown = compare_state_dict(weights, wanted)
    wrong += unknown
    if STEM not in weights:
        wrong += [key for key in missing if not key.startswith(_STEM)]
    else:
        wrong += missing
    if wrong:
        raise ValueError(
            f'{path} is no ConvNeXt as MCJEPAConvNeXt knows it: it differs in '
            f'{len(wrong)} tensors, such as {wrong[:3]}'
        )
    return tuple(missing)


def _settings(
    library: str, settings: dict[str, Any], conv_mlp: bool
) -> dict[str, Any]:
    """The arguments of a library's ConvNeXt, from those of ours."""
    arch = settings['arch']
    arch = ARCHS[arch] if isinstance(arch, str) else arch
    in_channels = settings.get('in_channels', 3)
    layer_scale = settings.get('layer_scale_init_value', 1e-6)
    batch_norm = 'norm_cfg' in settings
    if batch_norm and (library != 'timm' or not conv_mlp):
        raise ValueError(
            'the encoder has batch norm, which only the ConvNeXt of timm can '
            'have, with conv_mlp: convert to timm with conv_mlp'
        )
    if library == 'mmpretrain':
        return dict(
            arch=dict(arch),
            in_channels=in_channels,
            layer_scale_init_value=layer_scale,
            linear_pw_conv=not conv_mlp,
        )
    converted = dict(
        depths=arch['depths'],
        dims=arch['channels'],
        in_chans=in_channels,
        ls_init_value=layer_scale or None,
        conv_mlp=conv_mlp,
    )
    if batch_norm:
        converted['norm_layer'] = 'batchnorm2d'
    return converted
