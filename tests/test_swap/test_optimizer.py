"""Parameter-wise settings after a swap."""

import pytest

from mcjepa_mm.swap.settings import adapt_optimizer

NAMES = ['backbone.stem.0.0.weight', 'backbone.stages.0.0.norm.weight', 'head']
OURS = 'mcjepa_mm.LayerDecayOptimWrapperConstructor'
ADAM = dict(type='AdamW', lr=1e-4)


def test_nothing_to_change():
    wrapper = dict(optimizer=ADAM, paramwise_cfg=dict(norm_decay_mult=0.0))
    assert adapt_optimizer(wrapper, NAMES) == ({}, [])


@pytest.mark.parametrize(
    'constructor, rate',
    [
        ('LearningRateDecayOptimizerConstructor', 'decay_rate'),
        ('mmseg.LayerDecayOptimizerConstructor', 'layer_decay_rate'),
    ],
)
def test_layer_decay(constructor, rate):
    wrapper = dict(
        optimizer=ADAM,
        constructor=constructor,
        paramwise_cfg={rate: 0.8, 'num_layers': 12},
    )
    changes, notes = adapt_optimizer(wrapper, NAMES)
    assert changes == dict(
        constructor=OURS,
        paramwise_cfg=dict(
            _delete_=True, layer_decay_rate=0.8, flat_decay_mult=0.0
        ),
    )
    assert len(notes) == 1 and '0.8' in notes[0]


def test_mmpretrains_layer_decay_stays():
    """It asks the backbone for its groups, and this one knows them."""
    wrapper = dict(
        optimizer=ADAM,
        constructor='LearningRateDecayOptimWrapperConstructor',
        paramwise_cfg=dict(layer_decay_rate=0.8),
    )
    assert adapt_optimizer(wrapper, NAMES) == ({}, [])


def test_keys_of_parameters_that_are_gone():
    wrapper = dict(
        optimizer=ADAM,
        paramwise_cfg=dict(
            norm_decay_mult=0.0,
            custom_keys={
                'absolute_pos_embed': dict(decay_mult=0.0),
                'norm': dict(decay_mult=0.0),
                'backbone': dict(lr_mult=0.1),
            },
        ),
    )
    changes, notes = adapt_optimizer(wrapper, NAMES)
    assert changes == dict(
        paramwise_cfg=dict(
            _delete_=True,
            norm_decay_mult=0.0,
            custom_keys=dict(
                norm=dict(decay_mult=0.0), backbone=dict(lr_mult=0.1)
            ),
        )
    )
    assert '1 of 3' in notes[0] and 'absolute_pos_embed' in notes[0]


def test_sgd_gets_a_word():
    changes, notes = adapt_optimizer(
        dict(optimizer=dict(type='SGD', lr=0.01)), NAMES
    )
    assert changes == {}
    assert 'lr=0.01' in notes[0]
