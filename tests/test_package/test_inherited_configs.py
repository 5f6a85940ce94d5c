from pathlib import Path

import pytest

from mcjepa_mm.engine.collate_scope import without_collate_scope


def test_a_collate_function_has_no_scope():
    loader = dict(
        batch_size=2,
        collate_fn=dict(type='default_collate', _scope_='mcjepa_mm'),
    )
    assert without_collate_scope(loader) == dict(
        batch_size=2, collate_fn=dict(type='default_collate')
    )
    assert '_scope_' in loader['collate_fn']
    assert without_collate_scope(dict(batch_size=2)) == dict(batch_size=2)


@pytest.mark.slow
def test_every_pretraining_can_be_inherited(run, site, repo, tmp_path):
    done = run(
        'python',
        Path(__file__).with_name('inherit_configs.py'),
        'pretrain/mcjepa_convnext-micro_1xb32_embedded.py',
        cwd=tmp_path,
        path=site,
    )
    assert done.returncode == 0, done.stderr
    number = len([*(repo / 'configs' / 'pretrain').glob('*.py')])
    assert done.stdout.splitlines()[-1] == f'inherited {number}'
