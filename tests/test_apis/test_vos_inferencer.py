import itertools
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image
from torch import nn

from mcjepa_mm.apis import VOSInferencer, propagate_masks
from mcjepa_mm.datasets.bad_samples import BadSampleError
from mcjepa_mm.engine.launch import build_runner, load_config
from mcjepa_mm.models.backbones import MCJEPAConvNeXt
from mcjepa_mm.registry import MODELS
from mcjepa_mm.utils.image_file import pascal_palette, write_label_map

SIZE = (64, 128)
ARCH = dict(depths=(1, 1, 1, 1), channels=(4, 8, 12, 16))
NORM = dict(type='ViewsDataPreprocessor', mean=(0, 0, 0), std=(1, 1, 1))
DAVIS = (
    Path(__file__).parents[2]
    / 'configs/vos'
    / 'label-propagation_mcjepa-convnext-tiny_davis2017-480p.py'
)


class CellColors(nn.Module):
    """Features are the mean colour of cells of 8 x 8 pixels."""

    def forward(self, x):
        return nn.functional.avg_pool2d(x, 8)


def stripes(t):
    """The objects of frame t: they go 8 pixels to the right each."""
    objects = np.zeros(SIZE, np.uint8)
    objects[:, 8 + 8 * t : 24 + 8 * t] = 1
    objects[:, 48 + 8 * t : 56 + 8 * t] = 2
    return objects


@pytest.fixture(scope='module')
def clip(tmp_path_factory):
    """Folder of five frames, a video of them, and the mask of the first."""
    root = tmp_path_factory.mktemp('clip')
    colors = np.array([[200, 0, 0], [0, 200, 0], [0, 0, 200]], np.uint8)
    video = cv2.VideoWriter(
        str(root / 'walk.avi'),
        cv2.VideoWriter_fourcc(*'MJPG'),
        12.5,
        (128, 64),
    )
    (root / 'walk').mkdir()
    for t in range(5):
        frame = colors[stripes(t)]
        assert cv2.imwrite(str(root / 'walk' / f'{t:05d}.png'), frame)
        video.write(frame)
    video.release()
    write_label_map(root / 'first.png', stripes(0), pascal_palette())
    return root


@pytest.fixture
def config():
    MODELS.register_module(module=CellColors, force=True)
    return Config(
        dict(
            default_scope='mcjepa_mm',
            model=dict(
                type='LabelPropagation',
                backbone=dict(type='CellColors'),
                data_preprocessor=NORM,
                propagator=dict(radius=3),
            ),
            test_dataloader=dict(
                dataset=dict(
                    pipeline=[
                        dict(type='LoadVideoFrame'),
                        dict(type='mcjepa_mm.ResizeShortSide', short_side=64),
                    ]
                )
            ),
        )
    )


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    """As the pretraining writes them: another task's head is in it, too."""
    torch.manual_seed(0)
    encoder = MCJEPAConvNeXt(ARCH, layer_scale_init_value=0.0)
    encoder.init_weights()
    state = {f'backbone.{k}': v for k, v in encoder.state_dict().items()}
    state['heads.content.x'] = torch.zeros(1)
    path = tmp_path_factory.mktemp('run') / 'epoch_1.pth'
    torch.save(dict(state_dict=state, meta={}), path)
    return path


def files(folder):
    return sorted(
        str(x.relative_to(folder)) for x in folder.rglob('*') if x.is_file()
    )


def read_video(path):
    capture = cv2.VideoCapture(str(path))
    fps, frames = capture.get(cv2.CAP_PROP_FPS), []
    while (read := capture.read())[0]:
        frames.append(read[1])
    return frames, fps


@pytest.mark.parametrize('name, fps', [('walk', 24), ('walk.avi', 12.5)])
def test_stripes_are_followed_and_written(clip, config, tmp_path, name, fps):
    written = propagate_masks(
        *(clip / name, clip / 'first.png', tmp_path / 'new' / 'out'),
        config=config,
        device='cpu',
        opacity=1,
    )
    out = tmp_path / 'new' / 'out'
    masks = [f'masks/walk/{t:05d}.png' for t in range(5)]
    assert files(out) == [*masks, 'overlays/walk.mp4']
    assert written == [out / mask for mask in masks]
    for t, path in enumerate(written):
        image = Image.open(path)
        np.testing.assert_array_equal(np.asarray(image), stripes(t))
        palette = np.reshape(image.getpalette(), (-1, 3))
        np.testing.assert_array_equal(palette, pascal_palette())
    frames, rate = read_video(out / 'overlays' / 'walk.mp4')
    assert len(frames) == 5 and rate == fps
    # inside the first stripe Pascal's dark red, elsewhere the frame's blue
    red, blue = frames[4][32, 48].astype(int), frames[4][32, 8].astype(int)
    assert abs(red - (0, 0, 128)).max() < 25
    assert abs(blue - (200, 0, 0)).max() < 25


def test_frames_come_one_by_one(clip, config, tmp_path):
    shutil.copytree(clip / 'walk', tmp_path / 'walk')
    (tmp_path / 'walk' / '00003.png').write_bytes(b'no picture')
    follow = VOSInferencer(config=config, device='cpu')
    frames = follow(tmp_path / 'walk', clip / 'first.png')
    for t, frame in enumerate(itertools.islice(frames, 3)):
        assert frame.name == f'{t:05d}' and frame.image.shape == (*SIZE, 3)
        np.testing.assert_array_equal(frame.objects, stripes(t))
    assert frame.image[0, 0].tolist() == [0, 0, 200]  # RGB
    with pytest.raises(BadSampleError, match='00003.png'):
        next(frames)
    # again, from the first frame on
    frame = next(follow(clip / 'walk.avi', clip / 'first.png'))
    np.testing.assert_array_equal(frame.objects, stripes(0))


def test_a_cut_recording_is_followed_as_far_as_it_goes(clip, config, tmp_path):
    content = (clip / 'walk.avi').read_bytes()
    # chunks of frames have this name, which the header lists before them
    starts = [match.start() for match in re.finditer(b'00dc', content)]
    (tmp_path / 'cut.avi').write_bytes(content[: starts[4]])
    written = propagate_masks(
        *(tmp_path / 'cut.avi', clip / 'first.png', tmp_path / 'out'),
        config=config,
        device='cpu',
    )
    assert [path.name for path in written] == [
        *('00000.png', '00001.png', '00002.png')
    ]
    frames, _ = read_video(tmp_path / 'out' / 'overlays' / 'cut.mp4')
    assert len(frames) == 3


def test_the_files_are_those_of_the_test(clip, checkpoint, tmp_path):
    """The config's test writes the same masks of the same video."""
    cfg = load_config(str(DAVIS), work_dir=str(tmp_path / 'work'))
    cfg.model.backbone.arch = ARCH
    pipeline = cfg.test_dataloader.dataset.pipeline
    pipeline[2].short_side = 96
    video, mask = str(clip / 'walk'), str(clip / 'first.png')
    cfg.test_dataloader.update(num_workers=0, persistent_workers=False)
    cfg.test_dataloader.dataset = dict(
        type='MaskedVideos',
        videos=dict(walk=(video, mask)),
        pipeline=pipeline,
    )
    writer = dict(type='ObjectMaskWriter', out_dir=str(tmp_path / 'test'))
    cfg.test_evaluator = writer
    cfg.load_from = str(checkpoint)
    cfg.visualizer.vis_backends = []
    cfg.experiment_name = tmp_path.name
    assert build_runner(cfg).test() == dict(files=5)
    options = dict(device='cpu', short_side=96)
    # by the config, and by the checkpoint alone
    for out, given in (('a', cfg), ('b', None)):
        propagate_masks(
            video, mask, tmp_path / out, checkpoint, given, **options
        )
        assert len(files(tmp_path / out)) == 6
        for name in files(tmp_path / 'test'):
            same = (tmp_path / out / name).read_bytes()
            assert same == (tmp_path / 'test' / name).read_bytes()


def test_options_reach_the_model(clip, checkpoint, config):
    options = dict(
        propagator=dict(context_frames=2, topk=1),
        dtype='bfloat16',
        short_side=128,
        device='cpu',
    )
    follow = VOSInferencer(checkpoint, levels=(1, 3), stride=4, **options)
    model = follow.model
    assert model.backbone.out_indices == (1, 3) and model.stride == 4
    assert model.dtype is torch.bfloat16 and not model.training
    assert model.propagator.context_frames == 2
    assert model.propagator.options['topk'] == 1
    assert model.propagator.options['radius'] == 12
    *_, last = follow(clip / 'walk', clip / 'first.png')
    assert last.objects.shape == SIZE

    model = VOSInferencer(checkpoint, levels='all', device='cpu').model
    assert len(model.backbone.out_indices) == 6 and model.stride == 8
    model = VOSInferencer(checkpoint, stride=16, device='cpu').model
    assert model.backbone.out_indices == (3,)
    model = VOSInferencer(config=config, **options).model
    assert model.propagator.options['radius'] == 3  # the config's
    assert model.propagator.options['topk'] == 1


def test_whitening_by_the_first_frame_or_by_pictures(
    clip, checkpoint, tmp_path
):
    options = dict(levels=(0, 1), stride=4, short_side=64, device='cpu')

    def follow(**more):
        follower = VOSInferencer(checkpoint, **options, **more)
        return follower, list(follower(clip / 'walk', clip / 'first.png'))

    first, frames = follow(whiten='first_frame', shrinkage=0.01)
    assert first.model.reader.shrinkage == 0.01
    # the same statistics, taken from the same picture
    fitted, _ = follow(shrinkage=0.01)
    path = tmp_path / 'whitening.pth'
    fitted.fit_whitening([clip / 'walk' / '00000.png'], path)
    _, same = follow(whiten=path)
    for a, b in zip(frames, same, strict=True):
        np.testing.assert_array_equal(a.objects, b.objects)
    found = fitted.model.reader.whitening
    for a, b in zip(first.model.reader.whitening, found, strict=True):
        torch.testing.assert_close(a.mean, b.mean)
        assert a.matrix.isfinite().all() and a.matrix.dtype == torch.float64
    with pytest.raises(ValueError, match='images'):
        fitted.fit_whitening([])


@pytest.mark.parametrize('kind, change', [('size', 32), ('empty', 0)])
def test_a_wrong_mask_writes_nothing(clip, config, tmp_path, kind, change):
    mask = stripes(0)[:change] if change else 0 * stripes(0)
    path = tmp_path / f'{kind}.png'
    write_label_map(path, mask, pascal_palette())
    with pytest.raises(BadSampleError, match=path.name):
        propagate_masks(clip / 'walk', path, tmp_path / 'out', config=config)
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('name', ['gap', 'picture.png', 'absent.mp4'])
def test_a_wrong_video_writes_nothing(clip, config, tmp_path, name):
    video, out = tmp_path / name, tmp_path / 'out'
    if name == 'gap':
        shutil.copytree(clip / 'walk', video)
        (video / '00002.png').unlink()
    elif name == 'picture.png':
        shutil.copy(clip / 'walk' / '00000.png', video)
    with pytest.raises((ValueError, FileNotFoundError), match=name):
        propagate_masks(video, clip / 'first.png', out, config=config)
    assert not out.exists()


def test_a_mask_among_the_frames_is_refused(clip, config, tmp_path):
    shutil.copytree(clip / 'walk', tmp_path / 'walk')
    mask = shutil.copy(clip / 'first.png', tmp_path / 'walk' / '00009.png')
    with pytest.raises(ValueError, match='00009.png'):
        propagate_masks(tmp_path / 'walk', mask, tmp_path, config=config)


@pytest.mark.parametrize(
    'options, match',
    [
        (dict(opacity=1.5), 'opacity'),
        (dict(fps=0), 'fps'),
        (dict(max_frames=-1), 'max_frames'),
        (dict(stride=0), 'stride.* 0'),
        (dict(stride=12), 'stride 12'),
        (dict(levels=(7,)), 'out_indices'),
        (dict(propagator=dict(topk=0)), 'topk'),
        (dict(dtype='float16'), "'float32' or 'bfloat16'"),
        (dict(shrinkage=0), 'shrinkage'),
        (dict(whiten='none.pth'), 'none.pth'),
        (dict(short_side=0), 'short_side'),
        (dict(checkpoint=None), 'checkpoint'),
        (
            dict(config=Config(dict(model=dict(type='MCJEPAConvNeXt')))),
            'LabelPropagation',
        ),
        (dict(config='nowhere'), 'nowhere'),
        (dict(checkpoint='none.pth'), 'none.pth'),
    ],
)
def test_wrong_options_write_nothing(
    clip, checkpoint, tmp_path, options, match
):
    given = dict(checkpoint=checkpoint) | options
    with pytest.raises((ValueError, FileNotFoundError), match=match):
        propagate_masks(
            clip / 'walk', clip / 'first.png', tmp_path / 'out', **given
        )
    assert not (tmp_path / 'out').exists()
