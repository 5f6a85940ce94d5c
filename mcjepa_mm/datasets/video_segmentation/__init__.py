"""Videos with masks of their objects, for video object segmentation."""

from .davis import DAVIS2016, DAVIS2017
from .masked_videos import MaskedVideos
from .video_segmentation import MaskedSequence, VideoSegmentation
from .youtube_vos import YouTubeVOS

__all__ = [
    'DAVIS2016',
    'DAVIS2017',
    'MaskedSequence',
    'MaskedVideos',
    'VideoSegmentation',
    'YouTubeVOS',
]
