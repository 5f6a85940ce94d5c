"""Data sets of images, frame pairs and videos, and the embedded world."""

from .bad_samples import (
    BadSampleError,
    BadSampleGuard,
    TooManyBadSamplesError,
)
from .camvid_dataset import CamVid
from .embedded_datasets import EmbeddedClips, EmbeddedImages, EmbeddedPairs
from .embedded_world import EmbeddedWorld
from .flow_benchmarks import (
    HD1K,
    KITTI2012,
    KITTI2015,
    FlyingChairs,
    FlyingThings3D,
    Middlebury,
    Sintel,
)
from .frame_pairs import FramePairs
from .samplers import FixedLengthSampler, SequenceSampler
from .seeded import SeededDataset, SeededSampler
from .unlabelled_images import UnlabelledImages
from .video_segmentation import (
    DAVIS2016,
    DAVIS2017,
    MaskedVideos,
    VideoSegmentation,
    YouTubeVOS,
)

__all__ = [
    'DAVIS2016',
    'DAVIS2017',
    'HD1K',
    'KITTI2012',
    'KITTI2015',
    'BadSampleError',
    'BadSampleGuard',
    'CamVid',
    'EmbeddedClips',
    'EmbeddedImages',
    'EmbeddedPairs',
    'EmbeddedWorld',
    'FixedLengthSampler',
    'FlyingChairs',
    'FlyingThings3D',
    'FramePairs',
    'MaskedVideos',
    'Middlebury',
    'SeededDataset',
    'SeededSampler',
    'SequenceSampler',
    'Sintel',
    'TooManyBadSamplesError',
    'UnlabelledImages',
    'VideoSegmentation',
    'YouTubeVOS',
]
