"""Load, resize and pack video frames and object masks."""

import mmcv
import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.structures import BaseDataElement, PixelData

from mcjepa_mm.datasets.bad_samples import BadSampleError, check_size
from mcjepa_mm.datasets.object_masks import (
    UNDECIDED,
    check_first_mask,
    check_mask_size,
    read_object_mask,
)
from mcjepa_mm.datasets.video_file import VideoCache
from mcjepa_mm.registry import TRANSFORMS

from .image_loading import LoadImageStrict


@TRANSFORMS.register_module()
class LoadVideoFrame(LoadImageStrict):
    """Load a frame from an image file or a video.

    Required keys: ``img_path``, an image file or a video. Optional keys:
    ``video_frame``, the frame's number in the video, from 0, and
    ``sequence_shape`` with ``sequence``, (H, W) of the first frame of the
    sequence of this name, which this frame must have as well. Added keys:
    ``img`` ((H, W, 3) uint8, BGR), ``img_shape`` and ``ori_shape`` ((H, W)).

    Args:
        max_open_videos (int): Videos kept open in a process. Defaults to 2,
            enough for sequences that are read one after the other.

    Raises:
        BadSampleError: If the frame cannot be decoded, or has another size
            than the first.
    """

    def __init__(self, max_open_videos: int = 2) -> None:
        self._videos = VideoCache(max_open_videos)

    def transform(self, results: dict) -> dict:
        if 'video_frame' in results:
            number = results['video_frame']
            video = self._videos.at(results['img_path'], number)
            image = video.read(number)
            results['img'] = np.ascontiguousarray(image[..., ::-1])
            results['img_shape'] = results['ori_shape'] = image.shape[:2]
        else:
            results = super().transform(results)
        if 'sequence_shape' in results:
            check_size(
                results['img_path'],
                results['ori_shape'],
                f'the first frame of {results["sequence"]}',
                results['sequence_shape'],
                'the frames of a sequence must have one size',
            )
        return results


@TRANSFORMS.register_module()
class LoadObjectMask(BaseTransform):
    """Load the object numbers of a frame that has a mask.

    Required keys: ``img_path``, ``ori_shape``, ``frame_index``. Optional keys:
    ``mask_path``, see :func:`~mcjepa_mm.datasets.object_masks.
    read_object_mask`, ``one_object``, true where all that the mask marks
    is one object, whatever it is numbered, and ``new_objects``, numbers that
    the mask must have. Added key, where there is a mask:
    ``gt_objects`` ((H, W) uint8, 0 background, objects from 1, 255 undecided).

    Raises:
        BadSampleError: If the mask cannot be read, has another size than the
            frame, lacks one of ``new_objects``, or is that of frame 0 and has
            no object.
    """

    def transform(self, results: dict) -> dict:
        if 'mask_path' not in results:
            return results
        path, frame = results['mask_path'], results['img_path']
        mask = read_object_mask(path)
        if results.get('one_object'):
            mask[(mask > 0) & (mask < UNDECIDED)] = 1
        first = results['frame_index'] == 0
        check = check_first_mask if first else check_mask_size
        check(mask, path, frame, results['ori_shape'])
        lost = np.setdiff1d(results.get('new_objects', ()), mask)
        if len(lost):
            raise BadSampleError(
                f'{path} lacks object(s) {lost.astype(int).tolist()}, which '
                f'begin in {frame}; it holds {np.unique(mask).tolist()}',
                path,
            )
        results['gt_objects'] = mask
        return results


@TRANSFORMS.register_module()
class ResizeShortSide(BaseTransform):
    """Resize a frame as DINO's label propagation does.

    The shorter side gets exactly ``short_side`` pixels, also where it has
    fewer, and the longer side what keeps the ratio, rounded down to a
    multiple: 480 x 854 becomes 480 x 832. Of a square the width is the longer
    side. Bilinear, without smoothing. Masks keep their size: results are
    compared at the frame's original one.

    Required keys: ``img``. Modified keys: ``img``, ``img_shape``.

    Args:
        short_side (int): Pixels. Defaults to 480.
        multiple (int): What the longer side is a multiple of. Defaults to 64.

    Raises:
        ValueError: If an argument is not positive, or no pixel is left of the
            longer side.
    """

    def __init__(self, short_side: int = 480, multiple: int = 64) -> None:
        if short_side < 1 or multiple < 1:
            raise ValueError(
                'short_side and multiple must be positive, got '
                f'{short_side} and {multiple}'
            )
        self.short_side = short_side
        self.multiple = multiple

    def transform(self, results: dict) -> dict:
        height, width = results['img'].shape[:2]
        short, long = sorted((height, width))
        exact = self.short_side * long // short
        other = exact // self.multiple * self.multiple
        if other == 0:
            raise ValueError(
                f'{results.get("img_path", "the frame")}: {height} x {width} '
                f'pixels (height x width) become {self.short_side} on the '
                f'shorter side and {exact} on the longer one, which is less '
                f'than multiple={self.multiple}; choose a larger '
                '`short_side` or a smaller `multiple`'
            )
        size = (self.short_side, other)  # width and height of a portrait
        results['img'] = mmcv.imresize(
            results['img'],
            size if height > width else size[::-1],
            interpolation='bilinear',
            backend='cv2',
        )
        results['img_shape'] = results['img'].shape[:2]
        return results


@TRANSFORMS.register_module()
class PackVideoFrame(BaseTransform):
    """Pack a video frame into a sample.

    Returns ``inputs``, (3, h, w) uint8, RGB, and ``data_samples``, an mmengine
    BaseDataElement with meta information (``META_KEYS``, and ``new_objects``
    where not all objects begin in the first frame) and, where the frame has a
    mask, ``gt_objects``: PixelData, (1, H, W) uint8, of the frame's original
    size.
    """

    META_KEYS = (
        'sequence',
        'frame_index',
        'num_frames',
        'frame_name',
        'ori_shape',
        'img_path',
    )

    def transform(self, results: dict) -> dict:
        image = results['img'][..., ::-1].transpose(2, 0, 1)
        sample = BaseDataElement(
            metainfo={key: results[key] for key in self.META_KEYS}
        )
        if 'new_objects' in results:
            sample.set_metainfo(dict(new_objects=results['new_objects']))
        if 'gt_objects' in results:
            mask = torch.from_numpy(results['gt_objects'])
            sample.set_field(PixelData(data=mask[None]), 'gt_objects')
        return dict(
            inputs=torch.from_numpy(np.ascontiguousarray(image)),
            data_samples=sample,
        )
