"""Data sets of optical flow, read from their archives' own folders.

Those that mmflow has too have its names, arguments and entries, so that a
config changes by the scope only, and do not need it. On a whole archive both
list the same pairs; each class says where mmflow's goes wrong.
"""

from .flyingchairs import FlyingChairs
from .flyingthings3d import FlyingThings3D
from .hd1k import HD1K
from .kitti import KITTI2012, KITTI2015
from .labelled_pairs import LabelledPairs
from .middlebury import Middlebury
from .sintel import Sintel

__all__ = [
    'HD1K',
    'KITTI2012',
    'KITTI2015',
    'FlyingChairs',
    'FlyingThings3D',
    'LabelledPairs',
    'Middlebury',
    'Sintel',
]
