"""Configs of other projects' models, inherited by the package's name."""

from pathlib import Path

import pytest
from mmengine.registry import DefaultScope

from mcjepa_mm.engine.launch import load_config
from mcjepa_mm.registry import MODELS

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'


@pytest.mark.parametrize(
    'name',
    [
        'segmentation/fcn_r18_1xb8-300_camvid-192x256.py',
        'segmentation/'
        'upernet_mcjepa-convnext-tiny_8xb2-160k_ade20k-512x512.py',
        'classification/mcjepa_convnext-micro_knn_embedded.py',
        'flow/pwcnet_mcjepa-convnext-tiny_8xb1-slong_flyingchairs-384x448.py',
        'flow/mcjepa-flow_convnext-micro_embedded.py',
        'pretrain/mcjepa_convnext-micro_1xb32_embedded.py',
    ],
)
def test_it_is_the_config_itself(name, tmp_path):
    heir = tmp_path / 'heir.py'
    heir.write_text(f"_base_ = 'mcjepa_mm::{name}'\n")
    direct = load_config(str(CONFIGS / name), work_dir='x')
    inherited = load_config(str(heir), work_dir='x')
    if direct.default_scope != 'mcjepa_mm':
        assert inherited.to_dict() == direct.to_dict()
    # other projects' scopes, of what the config itself inherits, stay
    assert "'_scope_': 'mcjepa_mm'" not in str(inherited)
    for part in (inherited.model, direct.model):
        if part.get('backbone'):
            part.backbone.init_cfg = None  # no checkpoint here
    with DefaultScope.overwrite_default_scope(direct.default_scope):
        built = [MODELS.build(x.model) for x in (inherited, direct)]
    first, second = ([*x.state_dict()] for x in built)
    assert first == second and type(built[0]) is type(built[1])
