"""Models and weights of this package by name, in other projects.

``mmpretrain.get_model`` knows the models of
``configs/classification/metafile.yml``: encoders and classifiers, which
mmpretrain's interfaces can use. Its configs are read when one of the models
is asked for. mmengine loads ``mcjepa://NAME``, and NAME by itself, wherever
it takes a checkpoint.
"""

import warnings
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from mcjepa_mm.utils.import_hook import on_import
from mcjepa_mm.utils.named_weights import SCHEME, find_weights

_MIM = Path(__file__).parent / '.mim'
_INDEX = _MIM / 'configs' / 'classification' / 'metafile.yml'


@cache  # mmpretrain refuses a name that it knows
def announce_models() -> None:
    """Tell mmpretrain and mmengine as soon as somebody imports them."""
    on_import('mmpretrain.apis.model', _register)
    on_import('mmengine.runner.checkpoint', _register_weights)


def _register(api: ModuleType) -> None:
    if not _INDEX.is_file():
        # No reason to keep a user of mmpretrain from importing it.
        warnings.warn(
            f'{_INDEX} is missing, so mmpretrain.get_model knows no model of '
            'mcjepa_mm; install mcjepa_mm again, from a wheel or from a '
            'checkout that keeps its symbolic links',
            stacklevel=2,
        )
        return
    api.ModelHub.register_model_index(_INDEX, config_prefix=_MIM)


def _register_weights(checkpoint: ModuleType) -> None:
    register = checkpoint.CheckpointLoader.register_scheme
    register((SCHEME, 'mcjepa-convnext-'), load_from_mcjepa_mm)


def load_from_mcjepa_mm(
    filename: str, map_location: Any = None
) -> dict[str, Any]:
    """Load weights of this package for mmengine; no network is asked.

    Args:
        filename (str): ``mcjepa://NAME``, or NAME by itself, or either with
            ``#backbone`` behind it for that part alone: for a model with
            nothing else, mmengine would list all the rest as unexpected.
        map_location (optional): As in ``torch.load``.

    Raises:
        FileNotFoundError: For an unknown name, with the known ones.
    """
    from mcjepa_mm.utils.safe_load import safe_load

    name, _, part = filename.partition('#')
    content = safe_load(find_weights(name), map_location)
    if part:
        tensors = content['state_dict'].items()
        content['state_dict'] = {
            key: value for key, value in tensors if key.startswith(f'{part}.')
        }
    return content
