"""The configs keep to the policy of docs/data.md, Damaged files."""

from pathlib import Path

import pytest
from mmengine.config import Config

CONFIGS = Path(__file__).parents[2] / 'configs'
OURS = [
    'mcjepa_convnext.py',
    *(f'pretrain/{p.name}' for p in (CONFIGS / 'pretrain').glob('*.py')),
    *(f'flow/{p.name}' for p in (CONFIGS / 'flow').glob('mcjepa-flow_*.py')),
]
GUARD = 'BadSampleGuard'


def leaves(dataset, above=()):
    """Each data set that a config builds, and the wrappers around it."""
    name = dataset['type'].rsplit('.')[-1]
    inner = [*dataset.get('datasets', ()), dataset.get('dataset')]
    inner = [part for part in inner if part]
    if not inner:
        yield name, above
    for part in inner:
        yield from leaves(part, (*above, name))


def loaders(value):
    """The dataloaders in a config's value, at any depth."""
    if isinstance(value, dict):
        if 'dataset' in value and 'batch_size' in value:
            yield value
        else:
            value = list(value.values())
    if isinstance(value, (list, tuple)):
        for part in value:
            yield from loaders(part)


@pytest.mark.parametrize('name', sorted(OURS))
def test_what_training_reads_is_guarded_and_no_metric_is(name):
    cfg = Config.fromfile(CONFIGS / name)
    training = [cfg.get('train_dataloader'), cfg.get('custom_hooks')]
    for loader in loaders(training):
        for data, wrappers in leaves(loader['dataset']):
            reads = not data.startswith('Embedded')
            assert (GUARD in wrappers) == reads, data
    for key in ('val_dataloader', 'test_dataloader'):
        for loader in loaders(cfg.get(key)):
            for data, wrappers in leaves(loader['dataset']):
                assert GUARD not in wrappers, data


def test_the_policy_is_looked_for_where_files_are_read():
    cfg = Config.fromfile(
        CONFIGS / 'pretrain/mcjepa_convnext-tiny_1xb32-coslr-100e_own-data.py'
    )
    found = [
        name
        for loader in loaders([cfg.train_dataloader, cfg.custom_hooks])
        for name, _ in leaves(loader['dataset'])
    ]
    assert found == ['UnlabelledImages', 'FramePairs']
