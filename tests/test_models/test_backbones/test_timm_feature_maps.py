import pytest
import torch

from mcjepa_mm.registry import MODELS

timm = pytest.importorskip('timm')
SMALL = dict(depth=2, embed_dim=32, num_heads=2)
# name, settings, patch, class and register tokens
TRANSFORMERS = [
    ('vit_small_patch16_224.dino', dict(dynamic_img_size=True), 16, 1),
    ('vit_small_patch14_dinov2', dict(dynamic_img_size=True), 14, 1),
    ('vit_small_patch14_reg4_dinov2', dict(dynamic_img_size=True), 14, 5),
    ('vit_small_patch16_dinov3', dict(), 16, 5),
]


def build(name, **settings):
    torch.manual_seed(0)
    return MODELS.build(
        dict(
            type='mcjepa_mm.TIMMFeatureMaps',
            model_name=name,
            **settings,
        )
    ).eval()


@pytest.mark.parametrize('name, settings, patch, extra', TRANSFORMERS)
def test_tokens_of_the_patches_become_a_map(name, settings, patch, extra):
    """Row by row, after the last norm, without class and registers."""
    model = build(name, **settings, **SMALL)
    images = torch.rand(2, 3, 3 * patch, 5 * patch)
    with torch.no_grad():
        (found,) = model(images)
        tokens = model.timm_model.forward_features(images)
    assert tokens.shape == (2, extra + 15, 32)
    assert found.shape == (2, 32, 3, 5)
    for row in range(3):
        for column in range(5):
            torch.testing.assert_close(
                found[:, :, row, column], tokens[:, extra + 5 * row + column]
            )
    with pytest.raises(ValueError, match=f'50 x 96 .* {patch} x {patch} '):
        model(torch.zeros(1, 3, 50, 96))


def test_stages_of_a_convolutional_net():
    model = build('convnext_atto', out_indices=(1, 2))
    shapes = [tuple(x.shape[1:]) for x in model(torch.rand(1, 3, 64, 96))]
    assert shapes == [(80, 8, 12), (160, 4, 6)]


def test_weights_of_a_file(tmp_path):
    name, settings = 'vit_small_patch16_dinov3', SMALL
    state = timm.create_model(name, num_classes=0, **settings).state_dict()
    path = tmp_path / 'weights.pth'
    init = dict(type='Pretrained', checkpoint=str(path))
    model = build(name, **settings, init_cfg=init)
    with pytest.raises(FileNotFoundError, match='weights.pth'):
        model.init_weights()
    torch.save(state, path)
    model.init_weights()
    for key, value in model.timm_model.state_dict().items():
        torch.testing.assert_close(value, state[key], rtol=0, atol=0)
    del state['blocks.1.norm1.weight']
    torch.save(state, path)
    with pytest.raises(ValueError, match=r'blocks\.1\.norm1\.weight'):
        model.init_weights()
