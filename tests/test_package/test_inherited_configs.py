from pathlib import Path

import pytest


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
