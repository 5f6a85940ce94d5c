"""The text of a config, formatted once.

When it applies
    Always with mmengine 0.10.7, which formats with yapf.
Why
    ``Config.pretty_text`` runs yapf at each call, which takes about a second
    for a config of this package: four times when a run starts, and at each
    checkpoint, where a job that is told to stop has little time. The text is
    the same every time, so it is kept.
When it can go
    When mmengine keeps it, or no longer formats it.
"""

from collections.abc import Callable
from functools import cache

from mmengine.config import config as mmengine_config

_applied = False


def needed() -> bool:
    """Whether mmengine formats configs with yapf."""
    return hasattr(mmengine_config, 'FormatCode')


def apply() -> None:
    """Let mmengine remember what it has formatted."""
    global _applied
    if _applied or not needed():
        return
    _applied = True
    mmengine_config.FormatCode = _remembering(mmengine_config.FormatCode)


def applied() -> bool:
    """Whether formatted texts are kept."""
    return _applied


def _remembering(upstream: Callable) -> Callable:
    @cache
    def remembered(text: str, style: tuple, options: tuple) -> tuple:
        return upstream(text, style_config=dict(style), **dict(options))

    def format_code(text: str, style_config: dict, **options) -> tuple:
        return remembered(
            text, tuple(style_config.items()), tuple(options.items())
        )

    return format_code
