import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from mcjepa_mm.apis import draw_feature_maps
from mcjepa_mm.apis.feature_maps import encode, fit_image, load_encoder
from mcjepa_mm.datasets.embedded_world import EmbeddedWorld
from mcjepa_mm.models import MCJEPAConvNeXt
from mcjepa_mm.utils.image_file import write_image

ARCH = dict(depths=(1, 1, 1, 1), channels=(16, 12, 16, 20))
STRIDES = (2, 2, 1, 2, 2, 2)


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    """An encoder whose weights are not those of an initialisation."""
    torch.manual_seed(1)
    backbone = MCJEPAConvNeXt(ARCH)
    for value in backbone.parameters():
        torch.nn.init.normal_(value, std=0.3)
    state = {f'backbone.{k}': v for k, v in backbone.state_dict().items()}
    path = tmp_path_factory.mktemp('work') / 'epoch_1.pth'
    torch.save(dict(state_dict=state), path)
    return path


@pytest.fixture
def folder(tmp_path):
    """Three pictures of different sizes, one grey, one upright by EXIF."""
    frame = EmbeddedWorld((100, 150)).scene(0).frame(0)
    folder = tmp_path / 'images'
    write_image(folder / 'a.png', frame)
    write_image(folder / 'b.webp', frame[:70, :70, 0])
    exif = Image.Exif()
    exif[0x112] = 6  # to be turned by 90 degrees
    Image.fromarray(frame).save(folder / 'c.jpg', exif=exif)
    return folder


def read(path):
    return cv2.imread(str(path))[..., ::-1]


def size_of(width, rows, notes=1):
    """A sheet's size by its parts, of images ``width`` x ``height``."""
    (height, width), lines = width, 2 + rows + rows
    return (
        16 + lines * 24 + rows * (height + 2) + notes * 24 + 8,
        8 + 7 * (width + 10),
        3,
    )


def test_one_sheet_for_each_image(checkpoint, folder, tmp_path):
    out = tmp_path / 'new' / 'out'
    paths = draw_feature_maps(checkpoint, folder, out, device='cpu')
    assert paths == [out / f'{name}.png' for name in 'abc']
    assert sorted(out.iterdir()) == paths
    # 100 x 150 is drawn at twice its size, 70 x 70 at three times
    assert read(paths[0]).shape == size_of((200, 300), 1)
    assert read(paths[1]).shape == size_of((210, 210), 1)
    assert read(paths[2]).shape == size_of((300, 200), 1)


def test_an_untrained_row_is_of_other_weights_and_always_the_same(
    checkpoint, folder, tmp_path
):
    image = folder / 'a.png'
    sheets = [
        read(*draw_feature_maps(checkpoint, image, tmp_path, **kwargs))
        for kwargs in (
            dict(device='cpu', untrained=True),
            dict(device='cpu', untrained=True),
            dict(device='cpu'),
        )
    ]
    assert (sheets[0] == sheets[1]).all()
    assert sheets[0].shape == size_of((200, 300), 2)
    row = 24 + 202 + 24
    top = 8 + 2 * 24
    first, second = (sheets[0][top + i * row :][:row] for i in (0, 1))
    assert (first == sheets[2][top:][:row]).all()
    tiles = np.s_[25:225, 8 + 310 :]
    assert (first[tiles] != second[tiles]).any()

    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    trained = load_encoder(checkpoint, STRIDES, 'cpu')
    untrained = load_encoder(checkpoint, STRIDES, 'cpu', untrained=True)
    assert torch.equal(torch.rand(1), expected)  # the generator is untouched
    weight = trained.stages[0][0].pointwise_conv1.weight
    assert weight.std().item() == pytest.approx(0.3, rel=0.3)
    weight = untrained.stages[0][0].pointwise_conv1.weight
    assert weight.std().item() == pytest.approx(0.02, rel=0.3)


def test_shared_components_are_of_the_whole_folder(
    checkpoint, folder, tmp_path
):
    def draw(inputs, name, shared):
        out = tmp_path / name
        options = dict(shared=shared, device='cpu')
        return read(draw_feature_maps(checkpoint, inputs, out, **options)[0])

    own = draw(folder, 'own', False)
    alone = draw(folder / 'a.png', 'alone', True)
    together = draw(folder, 'together', True)
    assert alone.shape == together.shape == size_of((200, 300), 1, 2)
    pictures = np.s_[: len(own) - 32]
    # of one image alone both are the same, but for the last digit
    difference = np.abs(own[pictures].astype(int) - alone[pictures])
    assert difference.max() <= 1
    assert np.abs(own[pictures].astype(int) - together[pictures]).max() > 20


def test_maps_of_any_size_are_those_of_the_padded_image(checkpoint):
    encoder = load_encoder(checkpoint, STRIDES, 'cpu')
    image = EmbeddedWorld((64, 96)).scene(0).frame(0)
    maps = encode(encoder, image)
    assert [x.shape for x in maps] == [
        (8, 32, 48),
        *((8, 16, 24), (16, 16, 24), (12, 8, 12), (16, 4, 6), (20, 2, 3)),
    ]
    # by torchvision's convention: (x / 255 - mean) / std
    inputs = torch.tensor(image).permute(2, 0, 1)[None] / 255
    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    std = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    with torch.no_grad():
        expected = encoder((inputs - mean) / std)
    for feat, other in zip(maps, expected):
        assert np.allclose(feat, other[0], atol=1e-4)

    odd = encode(encoder, image[:33, :70])
    assert [x.shape[1:] for x in odd] == [
        *((17, 35), (9, 18), (9, 18), (5, 9), (3, 5), (2, 3))
    ]
    assert [x.shape[1:] for x in encode(encoder, image[:1, :1])] == 6 * [
        (1, 1)
    ]


def test_sizes():
    def size(height, width, size):
        image = np.zeros((height, width, 3), np.uint8)
        return fit_image(image, size).shape[:2]

    assert size(100, 300, None) == (100, 300)
    assert size(1000, 512, None) == (500, 256)
    assert size(100, 300, 200) == (200, 600)
    assert size(300, 100, 32) == (96, 32)


@pytest.mark.parametrize(
    'kwargs, message',
    [
        (dict(size=0), 'size'),
        (dict(strides=(2, 2)), 'strides.* 6 '),
        (dict(inputs='nowhere'), 'nowhere'),
        (dict(checkpoint='none.pth'), 'none.pth'),
    ],
)
def test_refuses_before_it_writes(
    checkpoint, folder, tmp_path, kwargs, message
):
    given = dict(checkpoint=checkpoint, inputs=folder, device='cpu') | kwargs
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        draw_feature_maps(out_dir=tmp_path / 'out', **given)
    assert not (tmp_path / 'out').exists()


def test_refuses_other_checkpoints(folder, tmp_path):
    path = tmp_path / 'other.pth'
    torch.save(torch.nn.Linear(1, 1).state_dict(), path)
    with pytest.raises(ValueError, match='MCJEPAConvNeXt'):
        draw_feature_maps(path, folder, tmp_path / 'out')
    torch.save(MCJEPAConvNeXt(ARCH, in_channels=1).state_dict(), path)
    with pytest.raises(ValueError, match='1 channels'):
        draw_feature_maps(path, folder, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_a_damaged_image_is_named(checkpoint, folder, tmp_path):
    (folder / 'b.webp').write_bytes(b'RIFF')
    out = tmp_path / 'out'
    with pytest.raises(ValueError, match='b.webp'):
        draw_feature_maps(checkpoint, folder, out, device='cpu')
    assert [x.name for x in out.iterdir()] == ['a.png']
