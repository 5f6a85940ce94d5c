from collections.abc import Sequence
from pathlib import Path

from mcjepa_mm.datasets.archive import numbers, subfolders
from mcjepa_mm.registry import DATASETS

from .labelled_pairs import (
    LabelledPairs,
    check_pass_style,
    successor,
)


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
        self.pass_style = check_pass_style(pass_style)
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
        root = Path(self.data_root, root)
        frames = numbers(root / self.pass_style / scene, r'frame_(\d+)\.png')
        flows = []
        if not self.test_mode and (root / 'flow' / scene).is_dir():
            # they know of the pair of a frame that is missing
            flows = numbers(root / 'flow' / scene, r'frame_(\d+)\.flo')
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
            img2_path=image / f'frame_{successor(number)}.png',
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
