"""MC-JEPA for OpenMMLab: one encoder for motion and content.

Importing this package mends upstream breaks (see
:mod:`mcjepa_mm.compat`) and makes ``_base_ = 'mcjepa_mm::folder/x.py'``
resolvable. It imports neither torch nor any other OpenMMLab project than
mmengine, so that it is cheap in a config's ``custom_imports``.
"""

from mmengine.config.utils import MODULE2PACKAGE

from mcjepa_mm import compat
from mcjepa_mm.version import __version__, version_info

# mmengine refuses `package::config` for packages that it does not list.
MODULE2PACKAGE.setdefault('mcjepa_mm', 'mcjepa_mm')

compat.apply()

__all__ = ['__version__', 'version_info']
