"""The models that ``mmpretrain.get_model`` knows by their names.

``configs/classification/metafile.yml`` lists them: encoders and classifiers,
which mmpretrain's interfaces can use. Its configs are read when one of the
models is asked for.
"""

import warnings
from pathlib import Path
from types import ModuleType

from mcjepa_mm.utils.import_hook import on_import

_MIM = Path(__file__).parent / '.mim'
_INDEX = _MIM / 'configs' / 'classification' / 'metafile.yml'
_announced = False


def announce_models() -> None:
    """Tell mmpretrain of the models as soon as somebody imports it."""
    global _announced
    # mmpretrain refuses a name that it knows.
    if not _announced:
        _announced = True
        on_import('mmpretrain.apis.model', _register)


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
