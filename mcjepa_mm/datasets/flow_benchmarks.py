"""Optical flow data sets in their original layouts.

Those that mmflow has too have its names, arguments and entries, so that a
config changes by the scope only, and do not need it. On a whole archive both
list the same pairs; each class says where mmflow's goes wrong.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from mmengine.dataset import BaseDataset

from mcjepa_mm.datasets.archive import Archive, numbers, subfolders
from mcjepa_mm.registry import DATASETS


class LabelledPairs(Archive, BaseDataset):
    """Base class of labelled frame pairs of a benchmark.

    Files belong together by the numbers in their names, not by their places
    in sorted lists: with one file missing, lists pair every later image with
    a neighbour's flow. A pair with a missing file stays in the list and fails
    when it is loaded, with the file's name.

    Every entry has ``img1_path``, ``img2_path`` and, where there is ground
    truth, ``flow_fw_path``; some data sets add more paths of mmflow's names.

    Args:
        data_root (str): Folder of the data set.
        **kwargs: Further arguments of mmengine's ``BaseDataset``. With
            ``ann_file`` the entries come from that file and no folder is
            searched; ``test_mode=True`` lists the test split.

    Raises:
        FileNotFoundError: If a folder of the layout is missing.
        ValueError: If there is no pair in it.
    """

    def __init__(self, data_root: str, **kwargs) -> None:
        super().__init__(data_root=os.path.expanduser(data_root), **kwargs)

    def list_pairs(self) -> list[dict]:
        """The entries of the split, in order."""
        raise NotImplementedError

    def load_data_list(self) -> list[dict]:
        if self.ann_file:
            return super().load_data_list()
        pairs = self.list_pairs()
        if not pairs:
            split = 'test' if self.test_mode else 'training'
            raise ValueError(
                f'{self.data_root} holds no frame pair of the {split} split '
                f'of {type(self).__name__}. {self.EXPECTED}'
            )
        return [
            {k: str(v) if isinstance(v, Path) else v for k, v in pair.items()}
            for pair in pairs
        ]


@DATASETS.register_module()
class FlyingChairs(LabelledPairs):
    """FlyingChairs: pairs of one folder, split by a list.

    mmflow's takes the n-th pair that it finds for the n-th line of the list.
    A missing pair moves all later ones, some of them into the other split.

    Args:
        data_root (str): Folder that holds ``data``.
        split_file (str, optional): List with 1 (training) or 2 (validation)
            in a line for each pair. Defaults to ``FlyingChairs_train_val.txt``
            in ``data_root``.
        **kwargs: See :class:`LabelledPairs`; ``test_mode=True`` lists the
            validation split, which has flow.
    """

    EXPECTED = (
        'Unpack FlyingChairs.zip, put FlyingChairs_train_val.txt beside its '
        'folder `data` (both from https://lmb.informatik.uni-freiburg.de/'
        'resources/datasets/FlyingChairs.en.html), and set `data_root` to '
        'where they are.'
    )

    def __init__(
        self, data_root: str, *, split_file: str | None = None, **kwargs
    ) -> None:
        self.split_file = split_file
        super().__init__(data_root, **kwargs)

    def list_pairs(self) -> list[dict]:
        folder = self.folder('data')
        path = Path(self.split_file or 'FlyingChairs_train_val.txt')
        if not self.split_file:
            path = Path(self.data_root, path)
        if not path.is_file():
            raise FileNotFoundError(f'{path} is no file. {self.EXPECTED}')
        codes = path.read_text().split()
        found = numbers(folder, r'(\d+)_(?:img1\.ppm|img2\.ppm|flow\.flo)')
        if found and not 1 <= int(found[-1]) <= len(codes):
            raise ValueError(
                f'{path} has {len(codes)} lines, too few for pair {found[-1]} '
                f'in {folder}. {self.EXPECTED}'
            )
        if set(codes) - {'1', '2'}:
            raise ValueError(
                f'{path} must hold 1 or 2 in every line, got '
                f'{sorted(set(codes) - {"1", "2"})[:5]}. {self.EXPECTED}'
            )
        wanted = '2' if self.test_mode else '1'
        return [
            dict(
                img1_path=folder / f'{number}_img1.ppm',
                img2_path=folder / f'{number}_img2.ppm',
                flow_fw_path=folder / f'{number}_flow.flo',
            )
            for number in found
            if codes[int(number) - 1] == wanted
        ]


@DATASETS.register_module()
class FlyingThings3D(LabelledPairs):
    """FlyingThings3D: clips of two cameras, with flow to both sides.

    mmflow's takes the image and the flow folders from two unsorted globs and
    joins the n-th with the n-th: the order is the file system's, and one
    missing folder moves all later ones. It takes every clip for the left
    camera's if 'left' occurs anywhere in the path.

    Args:
        data_root (str): Folder that holds ``frames_cleanpass`` and
            ``optical_flow``.
        scene (str, optional): Camera, 'left' or 'right'; None takes both.
        pass_style (str): 'clean' or 'final'. Defaults to 'clean'.
        double (bool): Whether every pair also comes in reverse.
        **kwargs: See :class:`LabelledPairs`; ``test_mode=True`` lists TEST,
            which has flow.
    """

    EXPECTED = (
        'Unpack the archives of the RGB images and of the optical flow (from '
        'https://lmb.informatik.uni-freiburg.de/resources/datasets/'
        'SceneFlowDatasets.en.html) so that `data_root` holds '
        'frames_cleanpass or frames_finalpass, and optical_flow.'
    )

    def __init__(
        self,
        data_root: str,
        *,
        scene: str | None = None,
        pass_style: str = 'clean',
        double: bool = False,
        **kwargs,
    ) -> None:
        if scene not in (None, 'left', 'right'):
            raise ValueError(
                f"scene must be 'left', 'right' or None, got {scene!r}"
            )
        self.scenes = ('left', 'right') if scene is None else (scene,)
        self.pass_style = _check_pass_style(pass_style)
        self.double = double
        super().__init__(data_root, **kwargs)

    def list_pairs(self) -> list[dict]:
        split = 'TEST' if self.test_mode else 'TRAIN'
        images = self.folder(f'frames_{self.pass_style}pass', split)
        flows = self.folder('optical_flow', split)
        clips = [
            Path(part, clip, view)
            for view in self.scenes
            for part in subfolders(images)
            for clip in subfolders(images / part)
        ]
        pairs = [
            self._pair(images / clip, flows / clip.parent, number)
            for clip in clips
            if (images / clip).is_dir()
            for number in numbers(images / clip, r'(\d+)\.png')[:-1]
        ]
        swapped = dict(
            img1_path='img2_path',
            img2_path='img1_path',
            flow_fw_path='flow_bw_path',
            flow_bw_path='flow_fw_path',
        )
        reverse = [{k: p[swapped.get(k, k)] for k in p} for p in pairs]
        return pairs + reverse * self.double

    def _pair(self, images: Path, flows: Path, number: str) -> dict:
        view, following = images.name, _successor(number)
        side = view[0].upper()
        future = f'OpticalFlowIntoFuture_{number}_{side}.pfm'
        past = f'OpticalFlowIntoPast_{following}_{side}.pfm'
        return dict(
            img1_path=images / f'{number}.png',
            img2_path=images / f'{following}.png',
            flow_fw_path=flows / 'into_future' / view / future,
            flow_bw_path=flows / 'into_past' / view / past,
            pass_style=self.pass_style,
            scene=view,
        )


@DATASETS.register_module()
class HD1K(LabelledPairs):
    """HD1K: sequences with sparse flow.

    mmflow's counts sequences from 0 and stops without a word at the first
    number that is missing; it joins images and flows of a sequence by their
    places in lists, has no test split, and is empty where there is no data.

    Args:
        data_root (str): Folder that holds ``hd1k_input`` and
            ``hd1k_flow_gt``.
        **kwargs: See :class:`LabelledPairs`; ``test_mode=True`` lists
            ``hd1k_challenge``, which has no flow.
    """

    EXPECTED = (
        'Unpack hd1k_full_package.zip (from http://hci-benchmark.iwr.'
        'uni-heidelberg.de) and set `data_root` to the folder with its '
        'hd1k_input, hd1k_flow_gt and hd1k_challenge.'
    )

    def list_pairs(self) -> list[dict]:
        part = 'hd1k_challenge' if self.test_mode else 'hd1k_input'
        images = self.folder(part, 'image_2')
        pairs = []
        for clip in numbers(images, r'(\d+)_\d+\.png'):
            for number in numbers(images, rf'{clip}_(\d+)\.png')[:-1]:
                name = f'{clip}_{number}.png'
                pair = dict(
                    img1_path=images / name,
                    img2_path=images / f'{clip}_{_successor(number)}.png',
                )
                if not self.test_mode:
                    flows = self.folder('hd1k_flow_gt', 'flow_occ')
                    pair['flow_fw_path'] = flows / name
                pairs.append(pair)
        return pairs


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
    """KITTI flow 2012, static scenes: see :class:`KITTIFlow`."""

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


@DATASETS.register_module()
class Middlebury(LabelledPairs):
    """Middlebury flow: frames 10 and 11 of each scene, with labels.

    mmflow has no such data set. Pixels whose flow is not known hold 1e9 or
    more in the files and are invalid, see
    :func:`~mcjepa_mm.datasets.flow_files.read_flow`. In the archives every
    scene has two frames or more (``other-color-twoviews`` or
    ``other-color-allframes``), and eight have labels too: those are listed.

    Args:
        data_root (str): Folder that holds ``other-data`` and
            ``other-gt-flow``; with ``test_mode``, ``eval-data``.
        **kwargs: See :class:`LabelledPairs`; ``test_mode=True`` lists the
            evaluation set, which has no labels.
    """

    EXPECTED = (
        'Unpack other-color-twoviews.zip and other-gt-flow.zip, and for the '
        'evaluation set eval-color-twoviews.zip (from '
        'https://vision.middlebury.edu/flow/data/), and set `data_root` to '
        'the folder with their `other-data`, `other-gt-flow` and `eval-data`.'
    )

    def list_pairs(self) -> list[dict]:
        images = self.folder('eval-data' if self.test_mode else 'other-data')
        flows = None if self.test_mode else self.folder('other-gt-flow')
        pairs = []
        for scene in subfolders(flows or images):
            pair = dict(
                img1_path=images / scene / 'frame10.png',
                img2_path=images / scene / 'frame11.png',
                scene=scene,
            )
            if flows is not None:
                pair['flow_fw_path'] = flows / scene / 'flow10.flo'
            pairs.append(pair)
        return pairs


@DATASETS.register_module()
class Sintel(LabelledPairs):
    """MPI Sintel: clips of a film in two passes.

    Entries also have ``occ_fw_path`` and ``invalid_path``, where the archive
    has these masks. mmflow's lists the scenes in the file system's order, no
    transform of it reads the masks of invalid pixels, and its test split is
    in ``testing/test``, where the archive has ``test``: here any of ``test``,
    ``testing/test`` and ``testing`` serves.

    Args:
        data_root (str): Folder that holds ``training`` and ``test``.
        pass_style (str): 'clean' or 'final'. Defaults to 'clean'.
        scene (str | Sequence[str], optional): Names of scenes. Defaults to
            all.
        **kwargs: See :class:`LabelledPairs`; ``test_mode=True`` lists the
            test split, which has no flow.
    """

    EXPECTED = (
        'Unpack MPI-Sintel-complete.zip (from http://sintel.is.tue.mpg.de/'
        'downloads) and set `data_root` to the folder with its `training` '
        'and `test`.'
    )

    def __init__(
        self,
        data_root: str,
        *,
        pass_style: str = 'clean',
        scene: str | Sequence[str] | None = None,
        **kwargs,
    ) -> None:
        self.pass_style = _check_pass_style(pass_style)
        self.scenes = [scene] if isinstance(scene, str) else scene
        super().__init__(data_root, **kwargs)

    def list_pairs(self) -> list[dict]:
        root = self._split_root()
        images = self.folder(root, self.pass_style)
        scenes = subfolders(images)
        missing = sorted(set(self.scenes or ()) - set(scenes))
        if missing:
            raise ValueError(f'{images} has no scene {missing}, but {scenes}')
        return [
            self._pair(Path(root), scene, number)
            for scene in scenes
            if self.scenes is None or scene in self.scenes
            for number in self._firsts(root, scene)
        ]

    def _firsts(self, root: str, scene: str) -> list[str]:
        """Numbers of the frames that begin a pair."""
        folder = Path(self.data_root, root)
        frames = numbers(folder / self.pass_style / scene, r'frame_(\d+)\.png')
        flows = []
        if not self.test_mode and (folder / 'flow' / scene).is_dir():
            # they know of the pair of a frame that is missing
            flows = numbers(folder / 'flow' / scene, r'frame_(\d+)\.flo')
        return sorted({*frames[:-1], *flows}, key=int)

    def _split_root(self) -> str:
        if not self.test_mode:
            self.folder('training', 'flow')
            return 'training'
        for root in ('test', 'testing/test', 'testing'):
            if Path(self.data_root, root, self.pass_style).is_dir():
                return root
        return 'test'

    def _pair(self, root: Path, scene: str, number: str) -> dict:
        root = Path(self.data_root, root)
        image = root / self.pass_style / scene
        frame = f'frame_{number}'
        pair = dict(
            img1_path=image / f'{frame}.png',
            img2_path=image / f'frame_{_successor(number)}.png',
            pass_style=self.pass_style,
            scene=scene,
        )
        if self.test_mode:
            return pair
        pair['flow_fw_path'] = root / 'flow' / scene / f'{frame}.flo'
        for key, folder in (
            ('occ_fw_path', 'occlusions'),
            ('invalid_path', 'invalid'),
        ):
            if (root / folder).is_dir():
                pair[key] = root / folder / scene / f'{frame}.png'
        return pair


def _successor(number: str) -> str:
    """The next number of the same width: '0009' to '0010'."""
    return f'{int(number) + 1:0{len(number)}d}'


def _check_pass_style(pass_style: str) -> str:
    """Refuse a rendering that is not 'clean' or 'final'."""
    if pass_style not in ('clean', 'final'):
        raise ValueError(
            f"pass_style must be 'clean' or 'final', got {pass_style!r}"
        )
    return pass_style
