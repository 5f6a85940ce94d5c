"""mmflow's other models with a correlation run without a compiled one."""

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

import mcjepa_mm  # noqa: F401  (patches imports)

# MaskFlowNet wants the compiled deformable convolution as well.
NAMES = [
    'flownet/flownetc_8xb1_slong_flyingchairs-384x448',
    'irr/irrpwc_8xb1_sshort_flyingchairsocc-384x448',
    'liteflownet/liteflownet_8xb1_500k_flyingthings3d-subset-384x768',
    'liteflownet2/liteflownet2_8xb1_500k_flyingthing3d-subset-384x768',
    'pwcnet/pwcnet_8xb1_slong_flyingchairs-384x448',
]


def tensors(outputs):
    """All tensors of mmflow's nested predictions."""
    if isinstance(outputs, torch.Tensor):
        yield outputs
    elif outputs is not None:
        if isinstance(outputs, dict):
            outputs = outputs.values()
        for output in outputs:
            yield from tensors(output)


@pytest.mark.parametrize('name', NAMES)
def test_forward_and_backward(name, tmp_path):
    from mmflow.registry import MODELS

    path = tmp_path / 'shipped.py'
    path.write_text(f"_base_ = 'mmflow::{name}.py'\n")
    cfg = Config.fromfile(path)
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmflow'):
        model = MODELS.build(cfg.model)
    outputs = list(tensors(model(torch.rand(1, 6, 64, 128))))
    assert all(x.isfinite().all() for x in outputs)
    # LiteFlowNet 2 ends at stride 8, the others at 4 or 2.
    assert max(x.shape[-1] for x in outputs) >= 128 / 8
    sum(x.mean() for x in outputs).backward()
    first = next(model.encoder.parameters())
    assert first.grad.isfinite().all()
    assert first.grad.any()
