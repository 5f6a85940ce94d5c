import pytest

from mcjepa_mm.apis.image_inputs import list_images


@pytest.fixture
def folder(tmp_path):
    (tmp_path / 'deeper').mkdir()
    for name in ('f10.PNG', 'f2.webp', 'a.jpg', 'notes.txt', 'deeper/b.png'):
        (tmp_path / name).touch()
    return tmp_path


def test_a_folder_in_natural_order(folder):
    found = list_images(folder)
    assert list(found) == ['a', 'f2', 'f10']
    assert found['f10'] == str(folder / 'f10.PNG')


def test_files_of_any_suffix_and_folders(folder):
    found = list_images([folder / 'notes.txt', str(folder / 'deeper')])
    assert found == {
        'notes': str(folder / 'notes.txt'),
        'b': str(folder / 'deeper' / 'b.png'),
    }


def test_names_stay_different(folder):
    (folder / 'a.png').touch()
    assert list(list_images(folder)) == [
        *('000000_a', '000001_a', '000002_f2', '000003_f10')
    ]


def test_refuses(folder):
    with pytest.raises(FileNotFoundError, match='no image or folder'):
        list_images([folder / 'a.jpg', folder / 'b.jpg'])
    (folder / 'empty').mkdir()
    with pytest.raises(ValueError, match='empty.*jpg'):
        list_images(folder / 'empty')
    with pytest.raises(ValueError, match='at least one image'):
        list_images([])
