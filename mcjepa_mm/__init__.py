"""MC-JEPA for OpenMMLab: one encoder for motion and content.

Importing this package mends upstream breaks (see
:mod:`mcjepa_mm.compat`), makes ``_base_ = 'mcjepa_mm::folder/x.py'``
resolvable and lets ``mmpretrain.get_model`` know the package's models (see
:mod:`mcjepa_mm.model_hub`). It imports neither torch nor any other OpenMMLab
project than mmengine, so that it is cheap in a config's ``custom_imports``.
"""

from mmengine.config.utils import MODULE2PACKAGE

from mcjepa_mm import compat
from mcjepa_mm.model_hub import announce_models
from mcjepa_mm.version import __version__, version_info

# mmengine refuses `package::config` for packages that it does not list.
MODULE2PACKAGE.setdefault('mcjepa_mm', 'mcjepa_mm')

compat.apply()
announce_models()

__all__ = ['__version__', 'version_info']
