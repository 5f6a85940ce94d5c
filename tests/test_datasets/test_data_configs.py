"""The data configs: what their transforms do, and that they give batches."""

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.runner import Runner
from PIL import Image

from mcjepa_mm.registry import TRANSFORMS

pytestmark = pytest.mark.usefixtures('default_scope')


@pytest.fixture
def config(repo):
    def load(name):
        return Config.fromfile(repo / 'configs/_base_/datasets' / name)

    return load


def build(pipeline):
    return Compose([TRANSFORMS.build(step) for step in pipeline])


def part(view, name):
    """The only transform of a view with this name."""
    (step,) = [step for step in view if step['type'].endswith(name)]
    return step


def test_vicreg_parameters_mean_what_the_official_code_does(config):
    config = config('vicreg_views.py')
    for view in (config.view_1, config.view_2):
        crop = TRANSFORMS.build(part(view, 'RandomResizedCrop')).t
        assert tuple(crop.size) == (224, 224)
        assert crop.scale == (0.08, 1.0)
        assert crop.ratio == (3 / 4, 4 / 3)
        assert crop.interpolation.value == 'bicubic'
        assert TRANSFORMS.build(part(view, 'HorizontalFlip')).t.p == 0.5
        assert TRANSFORMS.build(part(view, 'RandomGrayscale')).t.p == 0.2
        apply = part(view, 'RandomApply')
        assert apply['prob'] == 0.8
        jitter = TRANSFORMS.build(apply['transforms'][0]).t
        assert jitter.brightness == jitter.contrast == (0.6, 1.4)
        assert jitter.saturation == (0.8, 1.2) and jitter.hue == (-0.1, 0.1)
        blur = TRANSFORMS.build(part(view, 'GaussianBlur'))
        sigma = [blur.random_magnitude() for _ in range(2000)]
        np.testing.assert_allclose(
            np.quantile(sigma, [0, 0.25, 0.5, 1]),
            [0.1, 0.575, 1.05, 2.0],
            atol=0.08,
        )
    assert part(config.view_1, 'GaussianBlur')['prob'] == 1.0
    assert part(config.view_2, 'GaussianBlur')['prob'] == 0.1
    assert not any('Solarize' in s['type'] for s in config.view_1)
    solarize = part(config.view_2, 'Solarize')
    assert solarize['prob'] == 0.2
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    solarized = build([dict(solarize, prob=1.0)])(dict(img=ramp))['img']
    expected = np.where(ramp < 128, ramp, 255 - ramp)
    np.testing.assert_array_equal(solarized, expected)


def test_grey_is_luma_of_rgb(config):
    view = config('vicreg_views.py').view_1
    grey = part(view, 'RandomGrayscale')
    steps = [view[0], dict(grey, p=1.0), part(view, 'PILToNumpy')]
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 2] = 255  # BGR
    image = build(steps)(dict(img=red))['img']
    assert (image == round(0.299 * 255)).all() and image.shape == (4, 4, 3)


def test_views_differ_and_are_rgb(config, tmp_path):
    rng = np.random.default_rng(0)
    image = np.full((120, 160, 3), (200, 60, 30), np.uint8)
    image += rng.integers(0, 30, image.shape, np.uint8)
    path = str(tmp_path / 'red.png')
    Image.fromarray(image).save(path)
    config = config('vicreg_views.py')
    torch.manual_seed(0)
    np.random.seed(0)
    pipeline = build(config.vicreg_pipeline)
    reds = 0
    for _ in range(20):
        sample = pipeline(dict(img_path=path, sample_idx=0))
        first, second = sample['inputs']
        for view in (first, second):
            assert view.shape == (3, 224, 224) and view.dtype == torch.uint8
        assert not torch.equal(first, second)
        red, _, blue = first.float().mean((1, 2))
        assert red >= blue - 1  # equal if grey
        reds += bool(red > blue + 60)
    assert reds > 10
    assert sample['data_samples'].img_path == path


@pytest.mark.parametrize(
    'name, shape',
    [
        ('content_train_dataloader', (32, 2, 3, 64, 64)),
        ('content_val_dataloader', (50, 1, 3, 64, 64)),
        ('motion_train_dataloader', (8, 2, 3, 128, 128)),
        ('motion_val_dataloader', (8, 2, 3, 128, 128)),
        ('propagation_val_dataloader', (2, 8, 3, 128, 128)),
    ],
)
def test_embedded_world_gives_batches(config, name, shape):
    split = 'val' if 'val' in name else 'train'
    files = dict(train='embedded_world.py', val='embedded_val.py')
    config = config(files[split])[name]
    config.update(num_workers=0, persistent_workers=False)
    loader = Runner.build_dataloader(config, seed=0)
    batch = next(iter(loader))
    inputs, samples = batch['inputs'], batch['data_samples']
    assert inputs.shape == shape and inputs.dtype == torch.uint8
    if shape[1] > 1:
        assert not torch.equal(inputs[:, 0], inputs[:, 1])
    if 'content' in name:
        labels = torch.cat([sample.gt_label for sample in samples])
        assert labels.shape == (shape[0],)
        assert labels.min() >= 0 and labels.max() <= 9
    elif 'propagation' in name:
        for sample in samples:
            assert sample.gt_objects.data.shape == (8, 128, 128)
    else:
        # No loss sees ground truth, so training does not pay for it.
        has_truth = ['gt_flow_fw' in sample for sample in samples]
        assert has_truth == [split == 'val'] * shape[0]
    assert loader.dataset.world.seed[2] == ('train', 'val').index(split)
    if 'propagation' not in name:
        assert len(loader.dataset.metainfo['classes']) == 10


def batches(config):
    for name in ('content_train_dataloader', 'motion_train_dataloader'):
        loader = config[name]
        loader.update(batch_size=2, num_workers=0, persistent_workers=False)
        loader.pin_memory = False
        yield next(iter(Runner.build_dataloader(loader, seed=0)))['inputs']


def test_own_data_comes_from_the_environment(
    config, tmp_path, monkeypatch, write_image, write_video
):
    # what no text of a config may hold
    images = tmp_path / 'the "best"\\new' / 'deep'
    videos = tmp_path / "Anna's \\new videos"
    for number in range(3):
        write_image(images / f'{number}.png', number)
    write_video(videos / 'holiday.avi', 4)
    monkeypatch.setenv('MCJEPA_IMAGES', str(images.parent))
    monkeypatch.setenv('MCJEPA_VIDEOS', str(videos))
    own = config('own_data.py')
    own.dump(tmp_path / 'dumped.py')
    content, motion = batches(Config.fromfile(tmp_path / 'dumped.py'))
    assert content.shape == (2, 2, 3, 224, 224)
    # Smaller frames than the crop are enlarged first.
    assert motion.shape == (2, 2, 3, 256, 256)

    monkeypatch.setenv('MCJEPA_VIDEOS', str(tmp_path / 'none'))
    loader = config('own_data.py').motion_train_dataloader
    with pytest.raises(FileNotFoundError, match='none'):
        Runner.build_dataloader(loader)


def test_imagenet_with_frame_pairs(config, tmp_path, write_image):
    (tmp_path / 'meta').mkdir()
    (tmp_path / 'meta' / 'train.txt').write_text('a/0.JPEG 0\na/1.JPEG 0\n')
    for number in range(2):
        image = write_image(tmp_path / 'train' / 'a' / f'{number}.jpg', number)
        image.rename(image.with_suffix('.JPEG'))
    config = config('imagenet_frame_pairs.py')
    assert 8 * config.content_train_dataloader.batch_size == 384
    assert 8 * config.motion_train_dataloader.batch_size == 8
    config.content_train_dataloader.dataset.dataset.data_root = str(tmp_path)
    # The smallest and the largest frames of the mixture go into one batch.
    mixture = config.motion_train_dataloader.dataset
    chairs, hd1k = mixture.datasets[0], mixture.datasets[-1]
    mixture.datasets = [chairs, hd1k]
    for part, name, size in (
        (chairs, 'data/00001_img{}.ppm', (384, 512)),
        (hd1k, 'hd1k_input/image_2/000000_000{}.png', (1080, 2560)),
    ):
        part.times = 1
        for number in (1, 2):
            write_image(tmp_path / name.format(number), number, size)
        part.dataset.dataset.data_root = str(tmp_path)
    content, motion = batches(config)
    assert content.shape == (2, 2, 3, 224, 224)
    assert motion.shape == (2, 2, 3, 320, 512)
