import shutil
import zlib

import pytest
import torch
from mmengine.logging import MMLogger
from PIL import Image
from torch.utils.data import DataLoader

from mcjepa_mm.datasets import (
    BadSampleError,
    FixedLengthSampler,
    FramePairs,
)
from mcjepa_mm.registry import DATASETS

PACK = [dict(type='PackViews')]


@pytest.fixture
def root(tmp_path, write_image, write_video):
    """Two videos and two folders of frames, at different depths."""
    for i, name in enumerate(['f1.png', 'f2.png', 'f10.png']):
        write_image(tmp_path / 'deep' / 'er' / name, 3 + i)
    for i in range(2):
        write_image(tmp_path / 'flat' / f'{i:03d}.jpg', 10 + i)
    write_video(tmp_path / 'film.avi', 5)
    write_video(tmp_path / 'deep' / 'movie.MP4', 4, codec='mp4v')
    (tmp_path / 'notes.txt').write_text('not an image')
    return tmp_path


def pairs(dataset, number):
    """Which pictures each pair shows."""
    return [
        tuple(
            number(frame.permute(1, 2, 0).float().numpy())
            for frame in dataset[i]['inputs']
        )
        for i in range(len(dataset))
    ]


def test_pairs_of_videos_and_folders_in_natural_order(root, number):
    dataset = DATASETS.build(
        dict(type='FramePairs', data_root=str(root), pipeline=PACK)
    )
    assert pairs(dataset, number) == [
        *[(0, 1), (1, 2), (2, 3), (3, 4)],  # film.avi
        *[(0, 1), (1, 2), (2, 3)],  # deep/movie.MP4
        *[(3, 4), (4, 5)],  # deep/er: f2 before f10
        (10, 11),  # flat
    ]
    sample = dataset[7]
    assert sample['inputs'].shape == (2, 3, 72, 96)
    assert sample['inputs'].dtype == torch.uint8
    meta = sample['data_samples']
    folder = root / 'deep' / 'er'
    assert meta.img_path == [str(folder / 'f1.png'), str(folder / 'f2.png')]
    assert meta.frame_indices == (0, 1) and meta.sample_idx == 7
    assert dataset[0]['data_samples'].img_path == [str(root / 'film.avi')]
    with pytest.raises(IndexError, match='10'):
        dataset[10]


def test_gap_leaves_out_short_clips_and_names_them(root, number):
    dataset = FramePairs(str(root), pipeline=PACK, frame_gap=3)
    assert pairs(dataset, number) == [(0, 3), (1, 4), (0, 3)]
    assert dataset.short_files == [
        str(root / 'deep' / 'er'),
        str(root / 'flat'),
    ]


def test_gap_is_drawn_by_the_index(root, number):
    dataset = FramePairs(str(root), pipeline=PACK, frame_gap=2, max_gap=4)
    found = pairs(dataset, number)
    # film.avi: 5 frames, deep/movie.MP4: 4, deep/er: 3
    assert [first for first, _ in found] == [0, 1, 2, 0, 1, 3]
    ends = [4, 4, 4, 3, 3, 5]
    for (first, second), end in zip(found, ends):
        assert first + 2 <= second <= min(first + 4, end)
    assert pairs(dataset, number) == found
    names = [dataset.get_data_info(i)['frame_indices'] for i in range(6)]
    assert names[:5] == found[:5]


def test_gaps_are_about_equally_frequent(tmp_path, write_video):
    write_video(tmp_path / 'film.avi', 200)
    dataset = FramePairs(str(tmp_path), max_gap=4)
    infos = [dataset.get_data_info(i) for i in range(196)]
    gaps = [b - a for a, b in (info['frame_indices'] for info in infos)]
    # 49 of each are expected, with a standard deviation of 6
    assert all(25 < gaps.count(gap) < 75 for gap in (1, 2, 3, 4))
    with pytest.raises(ValueError, match='max_gap.* 1'):
        FramePairs(str(tmp_path), frame_gap=2, max_gap=1)


def test_workers_read_what_the_main_process_reads(root):
    dataset = FramePairs(str(root), pipeline=PACK, max_open_videos=1)
    # Videos are open here before the workers start.
    expected = torch.stack([dataset[i]['inputs'] for i in range(10)])
    loader = DataLoader(
        dataset,
        batch_size=None,
        num_workers=2,
        multiprocessing_context='fork',
    )
    read = torch.stack([sample['inputs'] for sample in loader])
    assert torch.equal(read, expected)


def test_pairs_of_a_place_are_those_of_any_order(tmp_path, write_video):
    write_video(tmp_path / 'a.mp4', 25, codec='mp4v')
    write_video(tmp_path / 'b.avi', 25)
    expected = FramePairs(str(tmp_path), pipeline=PACK)
    dataset = FramePairs(str(tmp_path), pipeline=PACK, max_open_videos=3)
    sampler = FixedLengthSampler(dataset, pairs_per_seek=4, places=3, seed=0)
    for index in sampler:
        frames = dataset[index]['inputs']
        assert torch.equal(frames, expected[index]['inputs'])


def test_missing_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match='nowhere.*mp4'):
        FramePairs(str(tmp_path / 'nowhere'))


def test_empty_folder(tmp_path):
    (tmp_path / 'readme.txt').touch()
    with pytest.raises(ValueError, match='no frame pair') as error:
        FramePairs(str(tmp_path))
    assert str(tmp_path) in str(error.value)


def test_video_with_one_frame(tmp_path, write_video):
    one = write_video(tmp_path / 'still.avi', 1)
    with pytest.raises(ValueError, match='still.avi'):
        FramePairs(str(tmp_path))
    write_video(tmp_path / 'moving.avi', 3)
    dataset = FramePairs(str(tmp_path))
    assert len(dataset) == 2 and dataset.short_files == [str(one)]


def test_video_that_cannot_be_opened(tmp_path, write_video, truncate):
    bad = truncate(write_video(tmp_path / 'cut.mp4', 9, codec='mp4v'))
    with pytest.raises(ValueError, match='cut.mp4'):
        FramePairs(str(tmp_path))
    write_video(tmp_path / 'good.mp4', 3, codec='mp4v')
    assert FramePairs(str(tmp_path)).broken_files == [str(bad)]


@pytest.mark.parametrize('kind', ['video', 'folder'])
def test_frames_smaller_than_the_largest_stride(
    tmp_path, write_video, write_image, kind
):
    if kind == 'video':
        write_video(tmp_path / 'tiny.avi', 3, size=(48, 96))
    else:
        write_image(tmp_path / 'tiny' / '0.png', 0, size=(48, 96))
        write_image(tmp_path / 'tiny' / '1.png', 1, size=(48, 96))
    with pytest.raises(ValueError, match='tiny.*48 x 96 .*min_size=64'):
        FramePairs(str(tmp_path))
    assert len(FramePairs(str(tmp_path), min_size=48)) in (1, 2)


def test_frames_of_different_sizes(tmp_path, write_image):
    write_image(tmp_path / '0.png', 0)
    second = write_image(tmp_path / '1.png', 1, size=(80, 96))
    with pytest.raises(
        BadSampleError, match='1.png.* 80 x 96 .*0.png.* 72 x 96'
    ) as error:
        FramePairs(str(tmp_path))[0]
    assert error.value.filename == str(second)


def test_gap_below_one(tmp_path):
    with pytest.raises(ValueError, match='frame_gap'):
        FramePairs(str(tmp_path), frame_gap=0)


@pytest.fixture
def benchmark(tmp_path, write_image, write_video):
    """Two clips in one folder, without frames 2 and 3; and what is not one."""
    for clip, numbers in (('a', (0, 1, 4, 5, 6)), ('b', (7, 8))):
        for i in numbers:
            write_image(tmp_path / 'set' / 'img' / f'{clip}_{i:02d}.png', i)
    write_image(tmp_path / 'set' / 'img' / 'a_01_mask.png', 9, (16, 16))
    write_video(tmp_path / 'set' / 'img' / 'preview.avi', 4)
    for i in range(2):
        write_image(tmp_path / 'set' / 'flow' / f'a_{i:02d}.png', 10 + i)
    return str(tmp_path / 'set')


CLIP_NUMBER = r'(?P<clip>\w)_(?P<number>\d+)\.png'


def test_clips_by_file_name_in_chosen_folders(benchmark, number):
    dataset = FramePairs(
        benchmark, pipeline=PACK, folders=['img'], frame_name=CLIP_NUMBER
    )
    assert pairs(dataset, number) == [(0, 1), (4, 5), (5, 6), (7, 8)]
    meta = dataset[3]['data_samples']
    assert meta.frame_indices == (7, 8)
    assert [p.rsplit('/')[-1] for p in meta.img_path] == [
        *['b_07.png', 'b_08.png']
    ]


def test_folder_that_two_patterns_find_counts_once(benchmark):
    dataset = FramePairs(
        benchmark, folders=['i*', 'img'], frame_name=CLIP_NUMBER
    )
    assert len(dataset) == 4
    # A folder and one below it; the pair in `flow` is the fifth.
    dataset = FramePairs(
        benchmark, folders=['.', 'img'], frame_name=CLIP_NUMBER
    )
    assert len(dataset) == 5


def test_missing_data_set_is_named(benchmark, tmp_path):
    options = dict(frame_name=CLIP_NUMBER, expects='The Set (set.zip)')
    with pytest.raises(
        FileNotFoundError,
        match=r'none.*The Set \(set.zip\).*img, x\*.*number',
    ):
        FramePairs(str(tmp_path / 'none'), folders=['img', 'x*'], **options)
    with pytest.raises(FileNotFoundError, match=r"'x\*'.*The Set"):
        FramePairs(benchmark, folders=['img', 'x*'], **options)
    options.update(frame_name=r'(?P<number>\d+)\.png')
    with pytest.raises(ValueError, match='8 images.*The Set'):
        FramePairs(benchmark, folders=['img'], **options)


def test_folders_as_a_string(benchmark):
    with pytest.raises(TypeError, match="'img'"):
        FramePairs(benchmark, folders='img')


def test_first_frame_of_absurd_size_is_found_when_it_is_loaded(
    tmp_path, write_image
):
    for number in range(3):
        path = write_image(tmp_path / f'{number}.png', number)
    content = path.read_bytes()
    header = b'IHDR' + 2 * (10**6).to_bytes(4, 'big') + content[24:29]
    checksum = zlib.crc32(header).to_bytes(4, 'big')
    first = tmp_path / '0.png'
    first.write_bytes(content[:12] + header + checksum + content[33:])
    dataset = FramePairs(str(tmp_path))  # which reads its header
    assert dataset[1]['frame_indices'] == (1, 2)
    with pytest.raises(BadSampleError, match='0.png') as error:
        dataset[0]
    assert error.value.filename == str(first)


@pytest.mark.parametrize('suffix', ['gif', 'GIF'])
def test_gifs_that_move_are_clips_and_others_frames(tmp_path, picture, suffix):
    for clip, frames in (('a', 4), ('b', 5), ('c', 3)):
        images = [Image.fromarray(picture(i)) for i in range(frames)]
        images[0].save(
            tmp_path / f'{clip}.{suffix}',
            save_all=True,
            append_images=images[1:],
            duration=40,
        )
    dataset = FramePairs(str(tmp_path), pipeline=PACK)
    assert len(dataset) == 3 + 4 + 2
    assert [len(c.frames) for c in dataset.clips] == [4, 5, 3]
    for index in range(len(dataset)):
        assert dataset[index]['inputs'].shape == (2, 3, 72, 96)
    for number in range(3):
        still = Image.fromarray(picture(number))
        still.save(tmp_path / f'still{number}.{suffix}')
    assert len(FramePairs(str(tmp_path), pipeline=PACK)) == 9 + 2


def test_suffixes_that_are_used_and_that_are_named(
    tmp_path, write_video, monkeypatch
):
    whole = write_video(tmp_path / 'a.mp4', 5, codec='mp4v')
    for name in ('b.MTS', 'c.3gp', 'd.m4v', 'e.xyz', 'notes.TXT', '.f.odd'):
        shutil.copy(whole, tmp_path / name)
    told = []
    logger = MMLogger.get_instance('suffixes')
    monkeypatch.setattr(
        logger, 'callHandlers', lambda record: told.append(record.getMessage())
    )
    assert len(FramePairs(str(tmp_path))) == 4 * 4
    [line] = told
    assert line.startswith('Not used: 2 files of')
    assert '(.TXT, .xyz)' in line and 'e.xyz' in line
