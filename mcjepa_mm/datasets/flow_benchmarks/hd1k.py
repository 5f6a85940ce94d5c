from mcjepa_mm.datasets.archive import numbers
from mcjepa_mm.registry import DATASETS

from .labelled_pairs import LabelledPairs, successor


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
                    img2_path=images / f'{clip}_{successor(number)}.png',
                )
                if not self.test_mode:
                    flows = self.folder('hd1k_flow_gt', 'flow_occ')
                    pair['flow_fw_path'] = flows / name
                pairs.append(pair)
        return pairs
