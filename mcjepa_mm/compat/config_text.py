"""The text of a config, formatted quickly.

When it applies
    Always with mmengine 0.10.7, which formats with yapf.
Why
    ``Config.pretty_text`` runs yapf, which weighs all ways to break a line:
    one to five seconds for a config of this package before each run, whatever
    it does. :mod:`mcjepa_mm.utils.config_text` takes a hundredth of that.
When it can go
    When mmengine no longer formats with yapf.
"""

from mmengine.config import config

from mcjepa_mm.utils.config_text import format_config


def needed() -> bool:
    """Whether mmengine formats configs with yapf."""
    return hasattr(config, 'FormatCode')


def apply() -> None:
    """Let mmengine format with ``format_config``."""
    if needed():
        config.FormatCode = _format_code


def _format_code(text: str, **_) -> tuple[str, bool]:
    """Stands for yapf's function, which tells whether it changed anything."""
    formatted = format_config(text)
    return formatted, formatted != text
