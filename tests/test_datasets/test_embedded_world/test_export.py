"""Files, names and folders of the exported layouts, and what is in them."""

import numpy as np
import pytest

from mcjepa_mm.datasets.embedded_world.export import LAYOUTS, Layout, export
from mcjepa_mm.datasets.flow_files import read_flow
from mcjepa_mm.datasets.transforms import read_image


@pytest.mark.parametrize('layout', LAYOUTS)
def test_every_layout_is_written_whole(exported, layout):
    """Where its files lie is asked of the readers of each data set."""
    root, _ = exported(layout)
    files = [path for path in root.rglob('*') if path.is_file()]
    assert len(files) > 5 and all(path.stat().st_size for path in files)
    for path in files[::7]:
        if path.suffix in ('.ppm', '.png') and 'flow' not in str(path):
            assert read_image(str(path)).shape == (96, 128, 3)


def test_the_pair_of_the_multi_view_set_is_that_of_the_benchmark(exported):
    (alone, _), (within, _) = (
        exported(name) for name in ('kitti2015', 'kitti2015_multiview')
    )
    for path in (alone / 'training').rglob('*.png'):
        twin = within / path.relative_to(alone)
        assert twin.read_bytes() == path.read_bytes()


def test_seed_decides_and_splits_share_no_scene(tmp_path):
    for name, seed in (('a', 1), ('b', 1), ('c', 2)):
        export('hd1k', tmp_path / name, num_scenes=1, num_frames=2, seed=seed)
    files = [
        {
            path.relative_to(root): path.read_bytes()
            for path in root.rglob('*.png')
        }
        for root in (tmp_path / name for name in 'abc')
    ]
    assert files[0] == files[1]
    assert len(files[0]) == 6
    assert not set(files[0].values()) & set(files[2].values())
    assert len(set(files[0].values())) == 6


def test_a_folder_with_content_is_refused(tmp_path):
    (tmp_path / 'mine.txt').write_text('mine')
    with pytest.raises(FileExistsError, match='empty'):
        export('kitti2012', tmp_path)
    with pytest.raises(FileExistsError):
        export('kitti2012', tmp_path / 'mine.txt')
    assert [path.name for path in tmp_path.iterdir()] == ['mine.txt']
    (tmp_path / 'empty').mkdir()
    export('kitti2012', tmp_path / 'empty', num_scenes=1)
    assert {p.name for p in (tmp_path / 'empty').iterdir()} == {
        'training',
        'testing',
    }


def test_a_failed_export_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(root, scene_set):
        (root / 'data').mkdir()
        (root / 'data' / '00001_img1.ppm').write_bytes(b'P6')
        raise KeyboardInterrupt

    monkeypatch.setitem(LAYOUTS, 'interrupted', Layout(interrupted, 2))
    with pytest.raises(KeyboardInterrupt):
        export('interrupted', tmp_path / 'new' / 'out')
    assert list((tmp_path / 'new').iterdir()) == []


@pytest.mark.parametrize(
    'words, match',
    [
        (dict(layout='kitti'), "'kitti'.* flyingchairs"),
        (dict(num_frames=3), 'kitti2012.*num_frames=3'),
        (dict(num_scenes=0), 'num_scenes.* 0'),
        (dict(layout='sintel', num_frames=1), '2.* 1'),
        (dict(layout='ade20k', num_frames=0), '1.* 0'),
        (dict(layout='davis2017', num_frames=2), '3.* 2'),
    ],
)
def test_what_cannot_be_exported_is_said(tmp_path, words, match):
    words = dict(dict(layout='kitti2012', out_dir=tmp_path / 'out'), **words)
    with pytest.raises(ValueError, match=match):
        export(**words)
    assert not (tmp_path / 'out').exists()


def test_a_world_in_which_nothing_moves(tmp_path):
    words = dict(num_scenes=2, num_frames=2, size=(64, 96))
    export('sintel', tmp_path / 'still', static=1.0, **words)
    folder = tmp_path / 'still/training'
    flows = [read_flow(x)[0] for x in folder.glob('flow/*/*.flo')]
    assert len(flows) == 2
    assert np.abs(flows).max() < 1e-3
    with pytest.raises(ValueError, match=r'camouflage.*1\.5'):
        export('sintel', tmp_path / 'no', camouflage=1.5)
    assert not (tmp_path / 'no').exists()
