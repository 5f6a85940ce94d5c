import pytest
from PIL import Image
from torch.utils.data import Dataset

from mcjepa_mm.datasets import BadSampleGuard, UnlabelledImages
from mcjepa_mm.datasets.fingerprint import fingerprint
from mcjepa_mm.datasets.packing import pack_folder
from mcjepa_mm.datasets.seeded import SeededDataset


class Files(Dataset):
    def __init__(self, paths):
        self.paths = paths

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        return self.paths[index]

    def get_data_info(self, index):
        return dict(img_path=self.paths[index])


class Drawn(Dataset):
    def __getitem__(self, index):
        return index

    def __len__(self):
        return 1200


@pytest.fixture
def paths(tmp_path):
    paths = [tmp_path / name for name in 'ab']
    for path in paths:
        path.write_text('1')
    return [str(path) for path in paths]


def test_names_and_sizes_count_and_wrappers_do_not(paths):
    before = fingerprint(Files(paths))
    assert before.startswith('2 samples, checksum')
    assert before == fingerprint(SeededDataset(BadSampleGuard(Files(paths))))
    assert before != fingerprint(Files(paths[::-1]))
    assert before != fingerprint(Files([paths]))  # a pair
    with open(paths[1], 'a') as file:
        file.write('2')
    assert before != fingerprint(Files(paths))


def test_files_need_not_be_there():
    assert fingerprint(Files(['gone'])).startswith('1 samples, checksum')
    assert fingerprint(SeededDataset(BadSampleGuard(Drawn()))) == (
        '1,200 samples'
    )


def test_sizes_in_a_packed_folder_count(tmp_path):
    found = set()
    for side in (64, 128):
        source, packed = tmp_path / str(side), tmp_path / f'packed{side}'
        source.mkdir()
        Image.new('RGB', (side, side)).save(source / '0.png')
        pack_folder(source, packed)
        # in one place, as on two machines
        (tmp_path / 'data').unlink(missing_ok=True)
        (tmp_path / 'data').symlink_to(packed)
        found.add(fingerprint(UnlabelledImages(str(tmp_path / 'data'))))
    assert len(found) == 2
