import csv
import json

import cv2
import numpy as np
import pytest
import torch

from mcjepa_mm.apis import Embedder, embed, embedding_files
from mcjepa_mm.apis.neighbour_sheet import draw_neighbours
from mcjepa_mm.datasets.embedded_world import EmbeddedWorld
from mcjepa_mm.models import MCJEPAConvNeXt
from mcjepa_mm.utils.image_file import write_image

ARCH = dict(depths=(1, 1, 1, 1), channels=(16, 12, 16, 20))
NAMES = ['a.png', 'b.png', 'in/f2.png', 'in/f10.png']


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    torch.manual_seed(1)
    path = tmp_path_factory.mktemp('work') / 'epoch_1.pth'
    torch.save(MCJEPAConvNeXt(ARCH).state_dict(), path)
    return path


@pytest.fixture
def images(tmp_path):
    """Four pictures (64, 128), two of them a folder below."""
    world = EmbeddedWorld((64, 128))
    for i, name in enumerate(NAMES):
        write_image(tmp_path / 'images' / name, world.scene(i).frame(0))
    return tmp_path / 'images'


def test_a_vector_is_the_mean_of_a_level(checkpoint):
    image = EmbeddedWorld((64, 128)).scene(0).frame(0)
    # by torchvision's convention: (x / 255 - mean) / std
    inputs = torch.tensor(image).permute(2, 0, 1)[None] / 255
    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    std = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    backbone = MCJEPAConvNeXt(ARCH).eval()
    backbone.load_state_dict(torch.load(checkpoint))
    with torch.no_grad():
        levels = backbone((inputs - mean) / std)
    for level, expected in ((None, levels[5]), (2, levels[2])):
        embedder = Embedder(checkpoint, level=level, device='cpu')
        assert np.allclose(embedder.maps(image), expected[0], atol=1e-4)
        vector = embedder(image)
        assert vector.dtype == np.float32
        assert np.allclose(vector, expected[0].mean((1, 2)), atol=1e-4)
        both = embedder([image, image[:50, :70]])
        assert both.shape == (2, len(vector)) and (both[0] == vector).all()


def test_a_folder_in_every_format(checkpoint, images, tmp_path):
    embedder = Embedder(checkpoint, level=3, size=32, device='cpu')
    expected = embedder([images / name for name in NAMES])
    out = tmp_path / 'new' / 'out'
    options = dict(level=3, size=32, device='cpu')
    for suffix in ('.npy', '.csv'):
        path = out.with_suffix(suffix)
        names, vectors = embed(checkpoint, images, path, **options)
        assert names == NAMES and (vectors == expected).all()
    assert (np.load(out.with_suffix('.npy')) == expected).all()
    assert json.loads(out.with_suffix('.names.json').read_text()) == NAMES
    with open(out.with_suffix('.csv'), newline='') as file:
        head, *rows = csv.reader(file)
    assert head == ['name', *map(str, range(expected.shape[1]))]
    assert [name for name, *_ in rows] == NAMES
    assert (np.array([x for _, *x in rows], np.float32) == expected).all()

    names, maps = embed(
        checkpoint, images, out.with_suffix('.npy'), maps=True, **options
    )
    assert maps.shape[:2] == expected.shape
    assert np.allclose(maps.mean((2, 3)), expected, atol=1e-6)
    assert (np.load(out.with_suffix('.npy')) == maps).all()


def test_parquet(checkpoint, images, tmp_path):
    parquet = pytest.importorskip('pyarrow.parquet')
    path = tmp_path / 'out.parquet'
    names, vectors = embed(checkpoint, images, path, device='cpu')
    table = parquet.read_table(path)
    assert table['name'].to_pylist() == names
    found = np.array(table['vector'].to_pylist(), np.float32)
    assert (found == vectors).all()


def test_parquet_without_pyarrow(checkpoint, images, tmp_path, monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(embedding_files, 'import_module', missing)
    with pytest.raises(ImportError, match='pip install pyarrow'):
        embed(checkpoint, images, tmp_path / 'out.parquet')


def test_every_frame_of_a_video(checkpoint, video, frames):
    names, vectors = embed(checkpoint, video, device='cpu')
    assert names == [f'walk.mp4/{i:06d}' for i in range(6)]
    embedder = Embedder(checkpoint, device='cpu')
    expected = embedder([frame[..., ::-1] for frame in frames])
    # but for the loss of the video's compression
    assert np.corrcoef(vectors.ravel(), expected.ravel())[0, 1] > 0.95


def test_rows_of_neighbours(images, checkpoint, tmp_path):
    # two pairs along two lines from what all share
    vectors = np.float32([[9, 1], [9, -1], [9, 2], [9, -3]])
    paths = {name: str(images / name) for name in NAMES}
    sheet = draw_neighbours(paths, vectors)
    row, tile = 24 + 130, 138
    pictures = [
        [
            sheet[56 + row * i :, 8 + tile * j :][:130, :130].astype(int)
            for j in range(4)
        ]
        for i in range(4)
    ]
    for i, first in enumerate((2, 3, 0, 1)):
        assert (pictures[i][1] == pictures[first][0]).all()
        assert np.abs(pictures[i][1] - pictures[i][0]).max() > 50

    embed(checkpoint, images, sheet=tmp_path / 'a.png', device='cpu')
    assert cv2.imread(str(tmp_path / 'a.png')).shape == sheet.shape


@pytest.mark.parametrize(
    'change, named',
    [
        (dict(to='a.npz'), '.npy or .csv or .parquet.*npz'),
        (dict(to='a.csv', maps=True), 'maps.*a.csv'),
        (dict(level=6), 'to 5, got 6'),
        (dict(size=0), 'size'),
        (dict(sheet='a.gif'), 'a.gif'),
        (dict(inputs='a.png', sheet='a.png'), 'folder.*a.png'),
        (dict(inputs='nowhere'), 'nowhere'),
        (dict(inputs='empty'), 'empty'),
        (dict(inputs='broken'), 'b.png'),
        (dict(inputs='.', maps=True), 'b/a.png'),
        (dict(inputs='in', sheet='a.png'), 'two images.* in'),
        (dict(weights='none.pth'), 'none.pth'),
    ],
)
def test_refuses_and_writes_nothing(
    checkpoint, images, monkeypatch, change, named
):
    monkeypatch.chdir(images)
    for folder in ('empty', 'broken', 'b'):
        (images / folder).mkdir()
    (images / 'in/f2.png').unlink()
    if change.get('inputs') == 'broken':
        (images / 'a.png').rename('broken/a.png')
        (images / 'broken/b.png').write_bytes(b'PNG')
    write_image('b/a.png', np.zeros((64, 64, 3), np.uint8))
    before = sorted(images.rglob('*'))
    given = dict(weights=checkpoint, inputs='b.png', to='new/a.npy') | change
    with pytest.raises((ValueError, FileNotFoundError), match=named):
        embed(device='cpu', **given)
    assert sorted(images.rglob('*')) == before
