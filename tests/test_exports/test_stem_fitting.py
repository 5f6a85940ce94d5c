"""Our stem fitted to the stem of timm's and mmpretrain's ConvNeXt."""

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F

import mcjepa_mm  # noqa: F401  (patches imports)
from mcjepa_mm.apis import stem_fitting
from mcjepa_mm.exports import convert_keys
from mcjepa_mm.models.backbones import read_backbone

DEPTHS, WIDTHS = (1, 1, 1, 1), (16, 16, 24, 32)


def picture(rng, height=80, width=96):
    """Blobs of colour, uint8 (H, W, 3)."""
    small = rng.random((height // 8, width // 8, 3), np.float32)
    large = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    noise = 0.1 * rng.random((height, width, 3), np.float32)
    return (255 * (0.9 * large + noise)).clip(0, 255).astype(np.uint8)


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    folder = tmp_path / 'images' / 'deep'
    folder.mkdir(parents=True)
    for i in range(16):
        cv2.imwrite(str(folder / f'{i}.png'), picture(rng))
    cv2.imwrite(str(folder / 'tiny.png'), picture(rng, 32, 40))
    return folder.parent


def published(library, path, **settings):
    """Save a stock ConvNeXt; return it, and its stem."""
    torch.manual_seed(0)
    if library == 'timm':
        from timm.models import ConvNeXt

        model = ConvNeXt(depths=DEPTHS, dims=WIDTHS, **settings).eval()
        stem = model.stem
    else:
        from mmpretrain.models import ConvNeXt

        model = ConvNeXt(dict(depths=DEPTHS, channels=WIDTHS), **settings)
        stem = model.downsample_layers[0]
    for parameter in stem.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    torch.save(model.state_dict(), path)
    return model, stem


def distance(x, y):
    """Root of the squared distance in parts of the best constant's."""
    x, y = x.double(), y.double()
    spread = y - y.mean((0, 2, 3), keepdim=True)
    return float((x - y).norm() / spread.norm())


@pytest.mark.parametrize('library', ['timm', 'mmpretrain'])
def test_stem_is_that_of_an_image_of_half_the_size(
    library, folder, tmp_path, monkeypatch
):
    monkeypatch.setattr(stem_fitting, 'STEPS', 150)  # enough for 16 channels
    theirs, stem = published(library, tmp_path / 'theirs.pth')
    out = tmp_path / 'ours.pth'
    done = convert_keys(
        tmp_path / 'theirs.pth', out, to='mcjepa', stem_images=folder
    )
    assert (done.missing, done.stem.images) == ((), 17)
    trained = read_backbone(out)
    assert trained.meta['stem_error'] == done.stem.error
    ours = trained.build(out)

    rng = np.random.default_rng(1)
    new = np.stack([picture(rng, 128, 128) for _ in range(4)])
    images = torch.from_numpy(new).movedim(3, 1).float().sub(120).div(58)
    half = F.avg_pool2d(images, 2)
    with torch.no_grad():
        x = images
        for part in (*ours.stem, ours.downsample_layers[0]):
            x = part(x)
        reached = distance(x, stem(half))
        # the stage behind it sees what it was trained on
        stage = distance(ours.stages[0](x), theirs.stages[0](stem(half)))
    assert reached == pytest.approx(done.stem.error, abs=0.1)
    assert max(reached, stage) < 0.25 < 0.9 < done.stem.random_error


def test_the_seed_decides(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(stem_fitting, 'STEPS', 5)
    published('timm', tmp_path / 'theirs.pth')
    files = []
    for i, seed in enumerate((5, 5, 6)):
        out = tmp_path / f'{i}.pth'
        convert_keys(
            tmp_path / 'theirs.pth',
            out,
            to='mcjepa',
            stem_images=folder,
            seed=seed,
        )
        files.append(out.read_bytes())
    assert files[0] == files[1] != files[2]


def test_what_cannot_be_fitted_is_refused(encoder, save, folder, tmp_path):
    path, out = tmp_path / 'theirs.pth', tmp_path / 'out.pth'
    published('timm', path)
    empty, one = tmp_path / 'empty', tmp_path / 'one'
    empty.mkdir()
    one.mkdir()
    (folder / 'deep' / '0.png').rename(one / '0.png')
    for images, error, named in [
        (tmp_path / 'nowhere', FileNotFoundError, 'nowhere'),
        (empty, ValueError, 'empty.* 0 images'),
        (one, ValueError, 'one.* 1 images'),
    ]:
        with pytest.raises(error, match=named):
            convert_keys(path, out, to='mcjepa', stem_images=images)
    for settings in [dict(stem_type='overlap'), dict(in_chans=1)]:
        published('timm', path, **settings)
        with pytest.raises(ValueError, match='0.weight'):
            convert_keys(path, out, to='mcjepa', stem_images=folder)
    with pytest.raises(ValueError, match='no stem to fit'):
        convert_keys(save(encoder()), out, to='timm', stem_images=folder)
    assert not out.exists()
