"""ConvNeXt parameter names in this package, timm and mmpretrain."""

import re
from collections.abc import Iterable

# The same parts in the same order. A part of the stem or of a step between
# two stages has two layers; a number before them is which part it is. Where
# timm and mmpretrain have a stem of three parts, it is SplitStem.
_BLOCK = (
    'stages.{stage}.{block}.depthwise_conv.{leaf}',
    'stages.{stage}.{block}.norm.{leaf}',
    'stages.{stage}.{block}.pointwise_conv1.{leaf}',
    'stages.{stage}.{block}.pointwise_conv2.{leaf}',
    'stages.{stage}.{block}.gamma',
)
_NAMES = dict(
    mcjepa=(
        'stem.{part}.{layer}',
        'downsample_layers.0.{layer}',
        'downsample_layers.{step}.{layer}',
        *_BLOCK,
    ),
    mmpretrain=(
        'downsample_layers.0.{part}.{layer}',
        'downsample_layers.0.2.{layer}',
        'downsample_layers.{step}.{layer}',
        *_BLOCK,
    ),
    timm=(
        'stem.{part}.{layer}',
        'stem.2.{layer}',
        'stages.{step}.downsample.{layer}',
        'stages.{stage}.blocks.{block}.conv_dw.{leaf}',
        'stages.{stage}.blocks.{block}.norm.{leaf}',
        'stages.{stage}.blocks.{block}.mlp.fc1.{leaf}',
        'stages.{stage}.blocks.{block}.mlp.fc2.{leaf}',
        'stages.{stage}.blocks.{block}.gamma',
    ),
)
_FIELDS = dict(
    part='[01]',
    step='[1-3]',
    stage='[0-3]',
    block=r'\d+',
    layer=r'[01]\.\w+',
    leaf=r'\w+',
)
LIBRARIES = tuple(_NAMES)
STEM = 'stem.0.0.weight'


def library_of(keys: Iterable[str]) -> str | None:
    """The library whose names these are, or None."""
    keys = set(keys)
    if 'stages.0.blocks.0.conv_dw.weight' in keys:
        return 'timm'
    if 'stages.0.0.depthwise_conv.weight' in keys:
        return 'mcjepa' if STEM in keys else 'mmpretrain'
    return None


def rename(key: str, source: str, target: str) -> str | None:
    """Call a weight by its name in another library.

    Returns:
        str | None: Its name in ``target``; None if it has no counterpart.
    """
    for pattern, name in zip(_PATTERNS[source], _NAMES[target], strict=True):
        if match := pattern.fullmatch(key):
            return name.format(**match.groupdict())
    return None


def _pattern(name: str) -> re.Pattern:
    parts = re.split(r'\{(\w+)\}', name)
    # texts and fields in turn
    parts[::2] = map(re.escape, parts[::2])
    parts[1::2] = [f'(?P<{x}>{_FIELDS[x]})' for x in parts[1::2]]
    return re.compile(''.join(parts))


_PATTERNS = {
    library: tuple(map(_pattern, names)) for library, names in _NAMES.items()
}
