from mcjepa_mm.datasets.archive import numbers
from mcjepa_mm.registry import DATASETS

from .labelled_pairs import LabelledPairs


class KITTIFlow(LabelledPairs):
    """One pair of each scene: frames 10 and 11, also of the multi-view set.

    Entries also have ``noc_fw_path``, the flow without occluded pixels, and in
    2015 ``obj_map_path``, moving objects from 1, where the archive has them.
    mmflow's knows neither and always reads ``training``: it cannot list what
    is to be submitted. It joins frames and flows by their places in lists.

    Args:
        data_root (str): Folder that holds ``training`` and ``testing``.
        **kwargs: See :class:`LabelledPairs`; ``test_mode=True`` lists
            ``testing``, which has no flow.
    """

    IMAGES = ''
    EXTRAS: dict[str, str] = {}

    def list_pairs(self) -> list[dict]:
        split = 'testing' if self.test_mode else 'training'
        images = self.folder(split, self.IMAGES)
        pairs = []
        for number in numbers(images, r'(\d+)_1[01]\.png'):
            pair = dict(
                img1_path=images / f'{number}_10.png',
                img2_path=images / f'{number}_11.png',
            )
            if not self.test_mode:
                flows = self.folder(split, 'flow_occ')
                pair['flow_fw_path'] = flows / f'{number}_10.png'
                for key, name in self.EXTRAS.items():
                    if (flows.parent / name).is_dir():
                        pair[key] = flows.parent / name / f'{number}_10.png'
            pairs.append(pair)
        return pairs


@DATASETS.register_module()
class KITTI2012(KITTIFlow):
    """KITTI flow 2012, of still scenes: see :class:`KITTIFlow`."""

    IMAGES = 'colored_0'
    EXTRAS = dict(noc_fw_path='flow_noc')
    EXPECTED = (
        'Unpack data_stereo_flow.zip (from https://www.cvlibs.net/datasets/'
        'kitti/eval_stereo_flow.php) and set `data_root` to the folder with '
        'its `training` and `testing`.'
    )


@DATASETS.register_module()
class KITTI2015(KITTIFlow):
    """KITTI flow 2015, with moving cars: see :class:`KITTIFlow`."""

    IMAGES = 'image_2'
    EXTRAS = dict(noc_fw_path='flow_noc', obj_map_path='obj_map')
    EXPECTED = (
        'Unpack data_scene_flow.zip (from https://www.cvlibs.net/datasets/'
        'kitti/eval_scene_flow.php) and set `data_root` to the folder with '
        'its `training` and `testing`.'
    )
