from pathlib import Path

from mcjepa_mm.registry import DATASETS

from .davis2017 import DAVIS2017


@DATASETS.register_module()
class DAVIS2016(DAVIS2017):
    """DAVIS 2016: clips with the mask of one object.

    Reads its own archive, whose masks are 0 and 255, and the archive of
    DAVIS 2017, which has the same clips with the parts of the object numbered
    one by one: all that is marked is one object here.

    Args:
        data_root (str): Folder that holds ``JPEGImages`` and ``Annotations``.
        split (str, optional): 'train', 'val', 'trainval' or one's own: a list
            in ``ImageSets/2016`` with a name a line (the archive of 2017), or
            in ``ImageSets/480p`` or ``ImageSets/1080p`` with a frame and its
            mask a line (that of 2016). None takes every folder of frames,
            without a list. Defaults to 'val'.
        resolution (str, optional): '480p', '1080p', 'Full-Resolution', or
            None where the folders of frames are in ``JPEGImages`` itself.
            Defaults to '480p'.
        **kwargs: See :class:`DAVIS2017`.

    Raises:
        BadSampleError, FileNotFoundError, ValueError: As :class:`DAVIS2017`.
    """

    METAINFO = dict(dataset_type='davis2016', task_name='video_segmentation')

    RESOLUTIONS = ('480p', '1080p', 'Full-Resolution')

    EXTRA = dict(one_object=True)

    EXPECTED = (
        'Unpack DAVIS-data.zip of 2016, or DAVIS-2017-trainval-480p.zip (from '
        'https://davischallenge.org/davis2016/code.html and .../davis2017/), '
        'and set `data_root` to its folder `DAVIS`, which holds `JPEGImages`, '
        '`Annotations` and `ImageSets`; or set split=None to take every '
        'folder of frames without a list.'
    )

    def read_list(self) -> tuple[Path, list[str]]:
        lists = self.folder('ImageSets')
        own = ('1080p', '480p') if self.resolution == '1080p' else ('480p',)
        tried = [lists / x / f'{self.split}.txt' for x in ('2016', *own)]
        for path in tried:
            if path.is_file():
                return path, _sequences(path)
        raise FileNotFoundError(
            f'none of {", ".join(map(str, tried))} is a file. {self.EXPECTED}'
        )


def _sequences(path: Path) -> list[str]:
    """Names of a list's sequences, each once: 'cow', '/JPEG.../cow/0.jpg'."""
    words = (line.split() for line in path.read_text().splitlines())
    frames = [Path(line[0]) for line in words if line]
    return list(
        dict.fromkeys(
            frame.parent.name if frame.suffix else frame.name
            for frame in frames
        )
    )
