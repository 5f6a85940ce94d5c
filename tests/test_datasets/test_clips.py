import os

import pytest

from mcjepa_mm.datasets import clips
from mcjepa_mm.datasets.clips import (
    Clip,
    compile_frame_name,
    match_folders,
    natural_key,
    split_folder,
    walk,
)


@pytest.fixture
def touch(tmp_path):
    """Function that makes empty files below a folder."""

    def make(*names):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()

    return make


def found(root, recursive=True):
    """What is found, relative to the folder."""
    return [
        (path.removeprefix(f'{root}').strip('/'), names)
        for path, names in walk(str(root), recursive)
    ]


def test_walk_does_not_follow_links_in_a_circle(tmp_path, touch):
    touch('a/1.png', 'b/film.mp4', '.hidden/2.png', 'b/.trash/3.png')
    (tmp_path / 'a' / 'above').symlink_to(tmp_path)
    (tmp_path / 'a' / 'beside').symlink_to(tmp_path / 'b')
    (tmp_path / 'b' / 'back').symlink_to(tmp_path / 'a')
    (tmp_path / 'b' / 'self').symlink_to('self')
    (tmp_path / 'b' / 'gone.png').symlink_to('nowhere.png')
    assert found(tmp_path) == [
        ('a', ('1.png',)),
        ('a/beside/film.mp4', ()),
        ('b/film.mp4', ()),
        ('b/back', ('1.png',)),
    ]
    assert found(tmp_path / 'a', recursive=False) == [('', ('1.png',))]


def test_walk_names_a_folder_that_may_not_be_read(
    tmp_path, touch, monkeypatch
):
    touch('clip/1.png', 'lost+found/2.png', 'z/3.png')
    scan = clips.os.scandir

    def refuse(path):
        # as the system does, but of root
        if path == str(tmp_path / 'lost+found'):
            raise PermissionError(13, 'Permission denied', path)
        return scan(path)

    monkeypatch.setattr(clips.os, 'scandir', refuse)
    warned = []
    monkeypatch.setattr(
        clips, 'print_log', lambda text, **_: warned.append(text)
    )
    assert found(tmp_path) == [('clip', ('1.png',)), ('z', ('3.png',))]
    assert warned == [
        f'Not used: {tmp_path}/lost+found may not be read by this user'
    ]
    with pytest.raises(PermissionError, match='lost') as error:
        found(tmp_path / 'lost+found')
    # so that the commands take it for a refusal
    assert error.value.__context__ is None


def test_walk_names_what_is_neither_file_nor_folder(
    tmp_path, touch, monkeypatch
):
    touch('clip/1.png', 'clip/2.png', 'clip/film.mp4', 'notes.txt')
    (tmp_path / 'clip' / '3.png').symlink_to('nowhere.png')
    os.mkfifo(tmp_path / 'pipe.mp4')
    told = []
    monkeypatch.setattr(
        clips, 'print_log', lambda text, **_: told.append(text)
    )
    assert found(tmp_path) == [
        ('clip', ('1.png', '2.png')),
        ('clip/film.mp4', ()),
    ]
    assert [line.split(' that')[0] for line in told] == [
        f'Not used: 1 entries of {tmp_path}',
        f'Not used: 1 entries of {tmp_path}/clip',
    ]
    assert 'pipe.mp4)' in told[0] and '3.png)' in told[1]
    told.clear()
    folder = str(tmp_path / 'clip')
    assert clips.find_images(folder, recursive=False) == [
        f'{folder}/1.png',
        f'{folder}/2.png',
    ]
    assert told[1].endswith(
        f'that are no images (.mp4): ({tmp_path}/clip/film.mp4)'
    )


def test_a_pipe_is_not_asked_whether_it_moves(tmp_path):
    os.mkfifo(tmp_path / 'a.gif')
    assert clips.is_still(str(tmp_path / 'a.gif'))  # whoever reads it refuses


def test_pairs_are_a_gap_apart():
    clip = Clip('c', {3: 'c', 4: 'd', 5: 'e', 7: 'g', 9: 'i'})
    assert list(clip.firsts(1)) == [3, 4]
    assert list(clip.firsts(2)) == [3, 5, 7]
    assert list(clip.firsts(7)) == []
    assert clip.files((5, 7)) == ['c/e', 'c/g']
    video = Clip('film.avi', range(4))
    assert list(video.firsts(1)) == [0, 1, 2]
    assert list(video.firsts(4)) == list(video.firsts(5)) == []
    assert video.files((0, 1)) == ['film.avi']


def test_folder_is_split_by_clip_and_ordered_by_number():
    names = ['b_2.png', 'a_10.png', 'a_9.png', 'b_1.png', 'a_9.png.png', 'a']
    frame_name = compile_frame_name(r'(?P<clip>\w)_(?P<number>\d+)\.png')
    clips = split_folder('x', names, frame_name)
    assert clips == [
        Clip('x', {1: 'b_1.png', 2: 'b_2.png'}),
        Clip('x', {9: 'a_9.png', 10: 'a_10.png'}),
    ]
    assert [list(clip.frames) for clip in clips] == [[1, 2], [9, 10]]


def test_two_frames_with_one_number():
    frame_name = compile_frame_name(r'(?P<number>\d+)\.(png|jpg)')
    with pytest.raises(ValueError, match='x/01.jpg and 1.png'):
        split_folder('x', ['1.png', '01.jpg'], frame_name)


@pytest.mark.parametrize(
    'pattern', [r'f(?P<number>.*)\.png', r'(?P<number>\d)?f1?\.png']
)
def test_number_that_is_none(pattern):
    with pytest.raises(ValueError, match='x/f'):
        split_folder('x', ['f.png'], compile_frame_name(pattern))


def test_frame_name_that_cannot_be_used():
    with pytest.raises(ValueError, match=r"'\('"):
        compile_frame_name('(')
    with pytest.raises(ValueError, match="'number'"):
        compile_frame_name(r'(?P<clip>\d+)\.png')


def test_folders_in_natural_order_and_once(tmp_path):
    root = tmp_path / '[x]'  # brackets of the root are no pattern
    for name in ('a10/left', 'a9/left', 'a9/right', 'b/left'):
        (root / name).mkdir(parents=True)
    (root / 'a1').write_text('no folder')
    found = match_folders(str(root), ['a*/left', './*/left', 'a9/*'])
    assert found == [
        str(root / name)
        for name in ('a9/left', 'a10/left', 'b/left', 'a9/right')
    ]
    with pytest.raises(FileNotFoundError, match="'a1'"):
        match_folders(str(root), ['a9/*', 'a1'])


def test_natural_key_compares_text_with_text_and_numbers_with_numbers():
    # ② and ³ are digits and no decimals, ٣ is a decimal 3
    names = ['walk2', 'walk', '2', 'walk_a', '', 'x³', 'x', 'x10', 'x٣', '②']
    assert sorted(names, key=natural_key) == [
        *['', '2', 'walk', 'walk2', 'walk_a', 'x', 'x٣', 'x10', 'x³', '②']
    ]
    names = ['f2', 'f02', 'F2', 'f002']
    ordered = sorted(names, key=natural_key)
    assert ordered == sorted(reversed(names), key=natural_key)
