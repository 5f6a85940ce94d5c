import cv2
import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from PIL import Image

from mcjepa_mm.evaluation import ObjectMaskWriter
from mcjepa_mm.registry import METRICS
from mcjepa_mm.utils.image_file import pascal_palette
from mcjepa_mm.visualization.object_overlay import draw_objects

FRAMES, SIZE = 3, (60, 96)


def objects_of(seed):
    """Predicted masks: (T, H, W), blocks of objects 0 to 4."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 5, (FRAMES, SIZE[0] // 12, SIZE[1] // 12))
    return blocks.repeat(12, axis=1).repeat(12, axis=2).astype(np.uint8)


def pictures_of(seed, size=(30, 48)):
    """What the model sees: (3, h, w) uint8 each, of one colour."""
    rng = np.random.default_rng(seed)
    colors = rng.integers(0, 256, (FRAMES, 3, 1, 1), np.uint8)
    return [torch.tensor(c).expand(3, *size) for c in colors]


@pytest.fixture
def write(video_frames):
    """Function of a metric and names of sequences: what it reports.

    The masks and pictures are those of seed 0, 1, ...
    """

    def write(metric, *names):
        evaluator = Evaluator(metric)
        for seed, name in enumerate(names):
            objects = objects_of(seed)
            frames = video_frames(name, objects, objects)
            pictures = pictures_of(seed)
            for frame, picture in zip(frames, pictures, strict=True):
                batch = dict(inputs=[picture], data_samples=[frame])
                evaluator.process([frame], batch)
        return evaluator.evaluate(1)

    return write


def files_in(folder):
    paths = [path for path in folder.rglob('*') if path.is_file()]
    return sorted(path.relative_to(folder).as_posix() for path in paths)


def masks_of(*names):
    return [
        f'masks/{name}/{index:05}.png'
        for name in names
        for index in range(FRAMES)
    ]


def test_masks_in_the_layout_of_the_benchmark(tmp_path, write):
    out = tmp_path / 'not' / 'there'
    cfg = dict(type='mcjepa_mm.ObjectMaskWriter', out_dir=str(out))
    names = ['bear', 'a name (2)']
    assert write(METRICS.build(cfg), *names) == dict(files=6)
    assert files_in(out) == masks_of(*sorted(names))
    for seed, name in enumerate(names):
        for index, objects in enumerate(objects_of(seed)):
            image = Image.open(out / 'masks' / name / f'{index:05}.png')
            assert image.mode == 'P'
            assert np.array_equal(np.asarray(image), objects)
            colors = np.asarray(image.convert('RGB'))
            assert np.array_equal(colors, pascal_palette()[objects])


def test_videos_of_the_frames_with_their_objects(tmp_path, write):
    metric = ObjectMaskWriter(str(tmp_path), videos=True, fps=12.5)
    assert write(metric, 'bear', 'cows') == dict(files=6)
    assert files_in(tmp_path) == [
        *masks_of('bear', 'cows'),
        'overlays/bear.mp4',
        'overlays/cows.mp4',
    ]
    for seed, name in enumerate(('bear', 'cows')):
        video = cv2.VideoCapture(str(tmp_path / 'overlays' / f'{name}.mp4'))
        assert video.get(cv2.CAP_PROP_FPS) == pytest.approx(12.5)
        assert video.get(cv2.CAP_PROP_FRAME_COUNT) == FRAMES
        for objects, picture in zip(objects_of(seed), pictures_of(seed)):
            color = picture[:, 0, 0].numpy()
            expected = draw_objects(np.full((*SIZE, 3), color), objects)
            found = video.read()[1][..., ::-1].astype(float)
            assert found.shape == expected.shape
            # the codec blurs the lines
            assert np.abs(found - expected).mean() < 25
            away = draw_objects(np.full((*SIZE, 3), color), 0 * objects)
            assert np.abs(found - away).mean() > 25


def test_a_sequence_that_came_twice_counts_once(tmp_path, write):
    metric = ObjectMaskWriter(str(tmp_path))
    assert write(metric, 'bear', 'bear') == dict(files=3)


def test_a_sequence_in_a_folder(tmp_path, write, video_frames):
    write(ObjectMaskWriter(str(tmp_path), videos=True), 'zoo/bear')
    assert files_in(tmp_path) == [
        *masks_of('zoo/bear'),
        'overlays/zoo/bear.mp4',
    ]
    frames = video_frames('bear', objects_of(0), objects_of(0))
    frames[0].set_metainfo(dict(frame_name='a/b'))
    with pytest.raises(ValueError, match="a frame .* got 'a/b'"):
        Evaluator(ObjectMaskWriter(str(tmp_path))).process(frames)


@pytest.mark.parametrize(
    'name', ['../up', '/up', '..', '.', '', 'a/', 'a/../b']
)
def test_names_that_are_no_files(tmp_path, write, video_frames, name):
    out = tmp_path / 'out'
    with pytest.raises(ValueError, match=f'can be, got {name!r}'):
        write(ObjectMaskWriter(str(out), videos=True), name)
    frames = video_frames('bear', objects_of(0), objects_of(0))
    frames[0].set_metainfo(dict(frame_name=name))
    with pytest.raises(ValueError, match=f'can be, got {name!r}'):
        Evaluator(ObjectMaskWriter(str(out))).process(frames)
    assert files_in(tmp_path) == []


def test_refuses(tmp_path, video_frames):
    frames = video_frames('bear', objects_of(0), objects_of(0))
    pictures = dict(inputs=pictures_of(0), data_samples=frames)

    def process(frames, batch=pictures, **kwargs):
        metric = ObjectMaskWriter(str(tmp_path), **kwargs)
        Evaluator(metric).process(frames, batch)

    with pytest.raises(ValueError, match="'bear', frame 0: .*videos=False"):
        process(frames, None, videos=True)
    with pytest.raises(ValueError, match='frame 1 of the 3 .* is due'):
        process(frames[::2])
    evaluator = Evaluator(ObjectMaskWriter(str(tmp_path), videos=True))
    evaluator.process(frames[:2], pictures)
    with pytest.raises(ValueError, match='ended after 2 of its 3'):
        evaluator.evaluate(3)
    # half a video is none
    del evaluator
    assert not list((tmp_path / 'overlays').iterdir())
    frames[0].set_metainfo(dict(ori_shape=(60, 97)))
    with pytest.raises(ValueError, match=r'own \(60, 97\), got \(1, 60, 96\)'):
        process(frames)
    for key in ('pred_objects', 'frame_name', 'ori_shape'):
        delattr(frames[0], key)
        with pytest.raises(KeyError, match=f'needs {key}'):
            process(frames)


def share(rank, folder):
    from conftest import video_frames  # beside this script

    metric = ObjectMaskWriter(f'{folder}/out', videos=True)
    evaluator = Evaluator(metric)
    # three sequences; the second process is padded with the first one
    for seed in ((0, 2), (1, 0))[rank]:
        frames = video_frames(str(seed), objects_of(seed), objects_of(seed))
        batch = dict(inputs=pictures_of(seed), data_samples=frames)
        evaluator.process(frames, batch)
    assert evaluator.evaluate(9) == dict(files=9)


@pytest.mark.slow
def test_two_processes_write_their_own_sequences(tmp_path, two_processes):
    two_processes(__file__, tmp_path)
    assert files_in(tmp_path / 'out') == [
        *masks_of('0', '1', '2'),
        *(f'overlays/{seed}.mp4' for seed in range(3)),
    ]


def test_another_name_of_the_folder(tmp_path, write):
    write(ObjectMaskWriter(str(tmp_path), folder='Annotations'), 'ab12')
    assert files_in(tmp_path)[0] == 'Annotations/ab12/00000.png'
