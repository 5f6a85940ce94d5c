import cv2
import numpy as np
import pytest
import torch

from mcjepa_mm.apis.diagnosis_pictures import square
from mcjepa_mm.apis.diagnosis_report import diagnosis_table, draw_diagnosis
from mcjepa_mm.apis.feature_diagnosis import diagnose
from mcjepa_mm.datasets.embedded_world import EmbeddedWorld
from mcjepa_mm.evaluation.functional.feature_moments import FeatureMoments
from mcjepa_mm.models import MCJEPAConvNeXt
from mcjepa_mm.utils.image_file import write_image

ARCH = dict(depths=(1, 1, 1, 1), channels=(16, 16, 16, 20))


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    """An encoder whose level 3 is nearly a constant."""
    torch.manual_seed(1)
    backbone = MCJEPAConvNeXt(ARCH, layer_scale_init_value=1.0)
    for value in backbone.parameters():
        torch.nn.init.normal_(value, std=0.3)
    backbone.downsample_layers[1][1].bias.data += 50
    state = {f'backbone.{k}': v for k, v in backbone.state_dict().items()}
    path = tmp_path_factory.mktemp('work') / 'epoch_1.pth'
    torch.save(dict(state_dict=state), path)
    return path


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """36 images in two folders; a folder of 36 frames, all the same, too."""
    folder = tmp_path_factory.mktemp('images')
    world = EmbeddedWorld((70, 96))
    for i in range(36):
        frame = world.scene(i).frame(0)
        write_image(folder / f'class{i % 2 or ""}' / f'{i}.png', frame)
    return folder


@pytest.mark.slow
def test_the_built_in_world(checkpoint):
    (found,) = diagnose(checkpoint, num_images=32, size=64, device='cpu')
    assert found.pictures == 'built-in world' and found.number == 32
    assert [x.stride for x in found.trained] == [2, 4, 8, 16, 32, 64]
    assert [x.channels for x in found.untrained] == [8, 8, 16, 16, 16, 20]
    constant = found.trained[3].constant
    assert constant > 0.95 > 0.5 > found.untrained[3].constant
    assert '5 are mostly one constant vector' in found.verdict
    for level in (*found.trained, *found.untrained):
        assert 0 <= level.constant <= 1 <= level.rank <= level.max_rank
        assert (level.position is None) == (level.stride == 64)
    # colours alone find the fine cells far more often than chance
    fine = found.untrained[0]
    assert fine.same_object > 0.5 > 2 * fine.same_object_chance
    assert fine.pck > 0.2 > 10 * fine.pck_chance
    assert found.untrained[5].pck == 1 == found.untrained[5].pck_chance


def test_images_of_all_folders(checkpoint, folder):
    words = dict(images=folder, num_images=100, size=64, device='cpu')
    (found,) = diagnose(checkpoint, **words)
    assert diagnose(checkpoint, **words) == [found]
    assert found.pictures == 'images' and found.number == 36
    assert found.trained[0].same_object is None is found.trained[0].pck
    # the same by the encoder and the images, one by one
    moments = FeatureMoments()
    encoder = MCJEPAConvNeXt(ARCH, layer_scale_init_value=1.0).eval()
    state = torch.load(checkpoint)['state_dict']
    encoder.load_state_dict(
        {k.removeprefix('backbone.'): v for k, v in state.items()}
    )
    mean, std = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
    for path in sorted(folder.rglob('*.png')):
        image = square(cv2.imread(str(path))[..., ::-1], 64)
        image = (image.astype(np.float32) - mean) / std
        with torch.no_grad():
            x = torch.tensor(image).float().permute(2, 0, 1)[None]
            moments.add(encoder(x)[2])
    level = found.trained[2]
    assert level.constant == pytest.approx(moments.constant_share(), rel=1e-4)
    assert level.rank == pytest.approx(moments.rank(), rel=1e-4)


def test_images_and_clips(checkpoint, folder):
    found = diagnose(
        checkpoint,
        images=folder,
        videos=folder,
        num_images=40,
        size=64,
        device='cpu',
    )
    assert [x.pictures for x in found] == ['images', 'videos']
    # two folders of 18 frames; too few clips to tell a position code
    assert found[1].number == 40 and found[1].trained[0].position is None
    table = diagnosis_table(found, untrained=True).splitlines()
    assert len(table) == 2 + 12 and all(
        len(row) == len(table[0]) for row in table
    )
    assert '(' in table[2] and '(' not in diagnosis_table(found)
    picture = draw_diagnosis(found, 'epoch_1.pth', 64)
    one = draw_diagnosis(found[:1], 'epoch_1.pth', 64)
    assert picture.shape[1] == one.shape[1] and len(picture) > len(one)


def test_what_cannot_be_measured_is_refused(checkpoint, folder, tmp_path):
    few = folder / 'class'
    for match, settings in {
        'size.* 64': dict(size=100),
        'num_images=9': dict(num_images=9),
        'class.* 18 images': dict(images=few),
        ' 1 videos.* 18 frames': dict(videos=few),
        '0 images': dict(images=tmp_path),
        '0 frames': dict(videos=tmp_path),
    }.items():
        with pytest.raises(ValueError, match=match):
            diagnose(checkpoint, device='cpu', **settings)
    with pytest.raises(FileNotFoundError, match='nowhere'):
        diagnose(checkpoint, images=tmp_path / 'nowhere', device='cpu')
    other = tmp_path / 'other.pth'
    torch.save({'a.weight': torch.zeros(2)}, other)
    with pytest.raises(ValueError, match='MCJEPAConvNeXt'):
        diagnose(other, device='cpu')


def test_features_that_are_not_finite_name_the_level(tmp_path):
    backbone = MCJEPAConvNeXt(ARCH)
    backbone.downsample_layers[2][1].bias.data[0] = torch.nan
    torch.save(backbone.state_dict(), tmp_path / 'nan.pth')
    with pytest.raises(ValueError, match='level 4.*NaN'):
        diagnose(tmp_path / 'nan.pth', num_images=32, size=64, device='cpu')


def test_the_middle_is_cut_out():
    image = np.zeros((4, 12, 3), np.uint8)
    image[:, 4:8] = 200
    assert (square(image, 4) == 200).all()
    assert square(np.zeros((30, 47, 3), np.uint8), 64).shape == (64, 64, 3)
