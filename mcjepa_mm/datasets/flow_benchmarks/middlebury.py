from mcjepa_mm.datasets.archive import subfolders
from mcjepa_mm.registry import DATASETS

from .labelled_pairs import LabelledPairs


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
        for scene in subfolders(images if self.test_mode else flows):
            pair = dict(
                img1_path=images / scene / 'frame10.png',
                img2_path=images / scene / 'frame11.png',
                scene=scene,
            )
            if flows is not None:
                pair['flow_fw_path'] = flows / scene / 'flow10.flo'
            pairs.append(pair)
        return pairs
