"""Videos with masks of their objects, for video object segmentation."""

from .davis2016 import DAVIS2016
from .davis2017 import DAVIS2017
from .masked_videos import MaskedVideos
from .video_segmentation import MaskedSequence, VideoSegmentation

__all__ = [
    'DAVIS2016',
    'DAVIS2017',
    'MaskedSequence',
    'MaskedVideos',
    'VideoSegmentation',
]
