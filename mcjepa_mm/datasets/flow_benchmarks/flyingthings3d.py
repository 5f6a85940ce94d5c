from pathlib import Path

from mcjepa_mm.datasets.archive import numbers, subfolders
from mcjepa_mm.registry import DATASETS

from .labelled_pairs import (
    LabelledPairs,
    check_pass_style,
    successor,
)


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
        self.pass_style = check_pass_style(pass_style)
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
        view, following = images.name, successor(number)
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
