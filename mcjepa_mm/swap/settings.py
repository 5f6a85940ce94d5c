"""Settings of a swapped config over those of its base."""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any

from mmengine.config import Config

from mcjepa_mm.models.backbones.backbone_checkpoint import MEAN, STD

from .config_text import difference, plain
from .measure import SwapError
from .readers import Swapped

# mmflow draws noise in, and clamps to, the range of normalised images.
_RANGE = (-2.12, 2.64)
_MEAN_STD = 57.4

# Settings of an old backbone that no longer apply.
_FREEZING = ('frozen_stages', 'norm_eval')

OURS = 'mcjepa_mm.LayerDecayOptimWrapperConstructor'
# Constructors of mmsegmentation and mmdetection that know the parameters of a
# few backbones by their names, each with the name of its setting for the rate.
# (mmpretrain's asks the backbone, and gets an answer from the new one.)
LAYER_DECAY = {
    'LearningRateDecayOptimizerConstructor': 'decay_rate',
    'LayerDecayOptimizerConstructor': 'layer_decay_rate',
}


def swapped_settings(
    old: Config, swapped: Swapped
) -> tuple[dict[str, Any], list[str]]:
    """Settings and notes of the new config, but for the optimiser's.

    Args:
        old (Config): The base.
        swapped (Swapped): Its model after the swap.

    Raises:
        SwapError: If images are normalised that are not of three channels.
    """
    notes = list(swapped.notes)
    settings: dict[str, Any] = dict(
        custom_imports=_imports(old), **swapped.settings
    )
    model: dict[str, Any] = {}
    if old.model.get('pretrained') is not None:
        model['pretrained'] = None
    # the backbone first: the rest follows from it
    for part in sorted(swapped.changes, key=lambda name: name != 'backbone'):
        value = swapped.changes[part]
        change = plain(value)
        if part in old.model:
            change = difference(old.model[part], value)
        if change != {}:
            model[part] = change
    preprocessor, words = _normalisation(old)
    notes += words
    if preprocessor and 'data_preprocessor' in old.model:
        model.setdefault('data_preprocessor', {}).update(preprocessor)
    elif preprocessor:
        settings['data_preprocessor'] = preprocessor
    settings['model'] = model
    frozen = {
        key: old.model.backbone[key]
        for key in _FREEZING
        if 'backbone' in old.model
        and old.model.backbone.get(key, -1) not in (-1, False)
    }
    if frozen:
        options = ', '.join(f'{key}={value}' for key, value in frozen.items())
        notes.append(f'{options} of the old backbone is not carried over')
    if old.get('load_from') is not None:
        settings['load_from'] = None
        notes.append(
            'load_from is removed: it named weights of the whole old model, '
            f'{old.load_from}'
        )
    return settings, notes


def _imports(old: Config) -> dict[str, Any]:
    given = old.get('custom_imports') or {}
    names = given.get('imports') or []
    names = [names] if isinstance(names, str) else list(names)
    return dict(
        imports=list(dict.fromkeys([*names, 'mcjepa_mm.compat.all'])),
        allow_failed_imports=given.get('allow_failed_imports', False),
    )


def _normalisation(old: Config) -> tuple[dict[str, Any], list[str]]:
    """What the data preprocessor must be told, and a note on it."""
    given = old.model.get('data_preprocessor') or old.get(
        'data_preprocessor', {}
    )
    channels = len(given.get('mean') or MEAN)
    if channels not in (1, len(MEAN)):
        raise SwapError(
            f'the data_preprocessor normalises images of {channels} channels '
            f'(mean={plain(given["mean"])}), and the encoder reads '
            f'{len(MEAN)}; take a config of {len(MEAN)} channels'
        )
    # mmpretrain's and mmsegmentation's names for the same thing
    order = 'to_rgb' if 'to_rgb' in given else 'bgr_to_rgb'
    wanted = {'mean': list(MEAN), 'std': list(STD), order: True}
    if given.get('sigma_range'):
        # Noise of the same share of an image's range. It is given in units
        # of the normalised image.
        scale = plain(given['std'])[0] / _MEAN_STD
        wanted['sigma_range'] = tuple(
            round(x * scale, 3) for x in given['sigma_range']
        )
    if given.get('clamp_range'):
        wanted['clamp_range'] = _RANGE
    changed = {k: v for k, v in wanted.items() if plain(given.get(k)) != v}
    if not changed:
        return {}, []
    before = ', '.join(f'{key}={plain(given.get(key))}' for key in changed)
    return changed, [
        "data_preprocessor: the pretraining's normalisation replaces " + before
    ]


def adapt_optimizer(
    optim_wrapper: Mapping[str, Any], names: Iterable[str]
) -> tuple[dict[str, Any], list[str]]:
    """Make parameter-wise settings fit the new backbone.

    Returns:
        tuple: What changes in ``optim_wrapper`` (empty for nothing), and
        what to tell the user.
    """
    changes: dict[str, Any] = {}
    notes = []
    paramwise = optim_wrapper.get('paramwise_cfg') or {}
    constructor = str(optim_wrapper.get('constructor', ''))
    rate_name = LAYER_DECAY.get(constructor.rpartition('.')[2])
    if rate_name:
        rate = paramwise.get(rate_name, 1.0)
        changes = dict(
            constructor=OURS,
            # the other one gives flat parameters no weight decay either
            paramwise_cfg=dict(
                _delete_=True, layer_decay_rate=rate, flat_decay_mult=0.0
            ),
        )
        notes.append(
            f'layer decay: {constructor} does not know this backbone; '
            f'{OURS} takes its place with the same rate, {rate}, over the '
            "new backbone's groups of layers"
        )
    custom = paramwise.get('custom_keys') or {}
    names = list(names)
    kept = {k: v for k, v in custom.items() if any(k in n for n in names)}
    if rate_name and kept:
        changes['paramwise_cfg']['custom_keys'] = deepcopy(kept)
    elif len(kept) < len(custom):
        rest = {k: v for k, v in paramwise.items() if k != 'custom_keys'}
        if kept:
            rest['custom_keys'] = kept
        changes['paramwise_cfg'] = dict(_delete_=True, **deepcopy(rest))
    if len(kept) < len(custom):
        gone = [key for key in custom if key not in kept]
        notes.append(
            f'{len(gone)} of {len(custom)} paramwise custom_keys are removed: '
            'no parameter has such a name any more '
            f'({", ".join(gone[:3])}{", ..." if len(gone) > 3 else ""})'
        )
    optimizer = optim_wrapper.get('optimizer') or {}
    if optimizer.get('type') == 'SGD':
        notes.append(
            f'the optimiser stays SGD with lr={optimizer.get("lr")}, which '
            'suits ResNets; a ConvNeXt is usually fine-tuned with AdamW, lr '
            '1e-4, weight decay 0.05'
        )
    return changes, notes
