"""MC-JEPA for OpenMMLab: one encoder for motion and content.

Importing this package makes ``_base_ = 'mcjepa_mm::folder/x.py'`` resolvable,
lets ``mmpretrain.get_model`` know the package's models (see
:mod:`mcjepa_mm.model_hub`), and repairs two imports, of mmcv's and of
torchvision's compiled half, where they would fail. It changes nothing else
of other projects; :mod:`mcjepa_mm.compat` says which patches there are
besides. It imports neither torch nor any other OpenMMLab project than
mmengine, so that it is cheap in a config's ``custom_imports``;
:func:`~mcjepa_mm.apis.pretraining.pretrain` is imported when it is asked for.
"""

from typing import Any

from mmengine.config.utils import MODULE2PACKAGE

from mcjepa_mm import compat
from mcjepa_mm.model_hub import announce_models
from mcjepa_mm.version import __version__, version_info

# mmengine refuses `package::config` for packages that it does not list.
MODULE2PACKAGE.setdefault('mcjepa_mm', 'mcjepa_mm')

compat.apply_on_import()
announce_models()

__all__ = ['__version__', 'version_info']


def __getattr__(name: str) -> Any:
    if name != 'pretrain':
        raise AttributeError(f'module {__name__!r} has no name {name!r}')
    from mcjepa_mm.apis.pretraining import pretrain

    return pretrain
