import pickle

import pytest
from PIL import Image

from mcjepa_mm.datasets import BadSampleGuard, UnlabelledImages, clips


def test_every_image_at_any_depth(tmp_path, write_image, number):
    for name, shown in (('a/2.png', 3), ('a/10.jpg', 4), ('b/c/1.bmp', 5)):
        write_image(tmp_path / name, shown)
    (tmp_path / 'a' / 'notes.txt').touch()
    pipeline = [dict(type='LoadImageStrict')]
    data = BadSampleGuard(
        dict(
            type='UnlabelledImages',
            data_root=str(tmp_path),
            pipeline=pipeline,
        )
    )
    data = pickle.loads(pickle.dumps(data))  # as a spawned worker gets it
    assert [number(data[i]['img'][..., ::-1]) for i in range(3)] == [3, 4, 5]
    assert data.get_data_info(2) == dict(
        img_path=str(tmp_path / 'b' / 'c' / '1.bmp'), sample_idx=2
    )
    assert str(tmp_path) in data.name


def test_what_is_left_out_is_named(
    tmp_path, write_image, picture, monkeypatch
):
    write_image(tmp_path / '1.png', 1)
    (tmp_path / '2.heic').touch()
    first, second = (Image.fromarray(picture(i)) for i in (1, 2))
    first.save(tmp_path / '3.gif', save_all=True, append_images=[second])
    told = []
    monkeypatch.setattr(
        clips, 'print_log', lambda text, **_: told.append(text)
    )
    assert len(UnlabelledImages(str(tmp_path))) == 1
    [line] = told
    assert line.startswith('Not used: 2 files of') and '(.gif, .heic)' in line


def test_home_is_expanded(tmp_path, monkeypatch, write_image):
    monkeypatch.setenv('HOME', str(tmp_path))
    path = write_image(tmp_path / 'mine' / '1.png', 1)
    (entry,) = UnlabelledImages('~/mine').load_data_list()
    assert entry == dict(img_path=str(path))


def test_folders_that_hold_none(tmp_path):
    with pytest.raises(FileNotFoundError, match='none'):
        UnlabelledImages(str(tmp_path / 'none'))
    with pytest.raises(ValueError, match='image'):
        UnlabelledImages(str(tmp_path))
