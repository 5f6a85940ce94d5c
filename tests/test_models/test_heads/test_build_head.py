"""What a head has to know of the encoder and the images, it is given."""

import pytest
import torch
from mmengine.config import Config

from mcjepa_mm.models.heads import BasePretextHead
from mcjepa_mm.registry import MODELS

# Each with the channels of its coarsest level and the strides of all.
ATTO = (20, 20, 40, 80, 160, 320)
STRIDES = (2, 4, 8, 16, 32, 64)
MEAN, STD = (1.0, 2.0, 3.0), (4.0, 5.0, 6.0)


@MODELS.register_module()
class PlainHead(BasePretextHead):
    """A head that says nothing of what it wants."""

    def __init__(self):
        super().__init__(num_views=1)

    def loss(self, feats, inputs, encode):
        return {}


def config(repo, name):
    cfg = Config.fromfile(repo / 'configs' / name)
    cfg.merge_from_dict({'model.backbone.arch': 'atto'})  # as --cfg-options
    for key in ('content', 'motion'):
        if 'expander_channels' in (head := cfg.model.heads[key] or {}):
            head.expander_channels = (8, 8)
        cfg.model.data_preprocessor.tasks[key].update(mean=MEAN, std=STD)
    return cfg.model


@pytest.mark.parametrize(
    'name',
    [
        'mcjepa_convnext.py',
        'pretrain/mcjepa_convnext-tiny_1xb32-coslr-100e_own-data.py',
        'pretrain/vicreg_convnext-micro_1xb32_embedded.py',
        'pretrain/mjepa_convnext-micro_1xb4_embedded.py',
    ],
)
def test_the_arch_is_the_only_number_of_an_encoder(repo, name):
    heads = MODELS.build(config(repo, name)).heads
    assert {'content', 'motion'} & {*heads}
    if 'content' in heads:
        assert heads.content.expander[0].in_features == ATTO[-1]
    if 'motion' in heads:
        assert heads.motion.decoder.in_channels == ATTO
        assert heads.motion.decoder.strides == STRIDES
        mean, std = (x.flatten() * 255 for x in heads.motion.buffers())
        torch.testing.assert_close(mean, torch.tensor(MEAN))
        torch.testing.assert_close(std, torch.tensor(STD))


BY_HAND = [
    ('content', 'in_channels', 320, 96),
    ('motion.decoder', 'in_channels', ATTO, (20, 20, 40)),
    ('motion.decoder', 'strides', STRIDES, (1, 2, 4, 8, 16, 32)),
    ('motion', 'mean', list(MEAN), [1.0, 2.0, 3.5]),
    ('motion', 'std', list(STD), [0.0, 0.0, 0.0]),
]


@pytest.mark.parametrize('part, name, right, wrong', BY_HAND)
def test_numbers_by_hand_have_to_agree(repo, part, name, right, wrong):
    model = config(repo, 'mcjepa_convnext.py')
    cfg = Config(dict(model=model))
    cfg.merge_from_dict({f'model.heads.{part}.{name}': right})
    MODELS.build(cfg.model)
    cfg.merge_from_dict({f'model.heads.{part}.{name}': wrong})
    with pytest.raises(ValueError, match=f'{name}=') as error:
        MODELS.build(cfg.model)
    assert '\n' not in str(error.value)


def test_other_heads_and_encoders_need_not_tell(repo):
    cfg = config(repo, 'mcjepa_convnext.py')
    cfg.heads = dict(plain=dict(type='PlainHead'))
    assert isinstance(MODELS.build(cfg).heads.plain, PlainHead)
