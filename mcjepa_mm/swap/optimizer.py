"""Parameter-wise optimiser settings that speak of the old backbone."""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any

OURS = 'mcjepa_mm.LayerDecayOptimWrapperConstructor'
# Constructors of mmsegmentation and mmdetection that know the parameters of a
# few backbones by their names, each with the name of its setting for the rate.
# (mmpretrain's asks the backbone, and gets an answer from the new one.)
LAYER_DECAY = {
    'LearningRateDecayOptimizerConstructor': 'decay_rate',
    'LayerDecayOptimizerConstructor': 'layer_decay_rate',
}


def adapt_optimizer(
    optim_wrapper: Mapping[str, Any], names: Iterable[str]
) -> tuple[dict[str, Any], list[str]]:
    """Make parameter-wise settings fit the new backbone.

    Args:
        optim_wrapper (Mapping): The config's ``optim_wrapper``.
        names (Iterable[str]): Parameters of the model after the swap.

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
