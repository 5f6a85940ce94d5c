"""Graphs of the encoder: their sizes, and that wrong ones are refused."""

import sys

import pytest
import torch

from mcjepa_mm.exports import export
from mcjepa_mm.models.backbones import MCJEPAConvNeXt
from mcjepa_mm.models.backbones.layers import ConvNeXtBlock

CHANNELS = (4, 4, 8, 16, 24, 32)
ARCH = dict(depths=(1, 1, 1, 1), channels=CHANNELS[2:])


@pytest.fixture
def encoder_file(tmp_path):
    torch.manual_seed(0)
    model = MCJEPAConvNeXt(arch=ARCH, layer_scale_init_value=0).eval()
    torch.save(model.state_dict(), tmp_path / 'encoder.pth')
    return model, tmp_path / 'encoder.pth'


@pytest.mark.slow
@torch.no_grad()
def test_encoder_for_torch(encoder_file, tmp_path):
    model, path = encoder_file
    found = export(path, tmp_path / 'e.pt2', what='encoder', to='torch')
    assert list(found) == ['2 x 128 x 192', '1 x 192 x 128', '3 x 128 x 256']
    assert max(found.values()) <= 1e-5
    graph = torch.export.load(tmp_path / 'e.pt2').module()
    images = torch.randn(4, 3, 256, 128)
    for got, expected in zip(graph(images), model(images), strict=True):
        torch.testing.assert_close(got, expected)
    with pytest.raises(FileExistsError, match='left as it is'):
        export(path, tmp_path / 'e.pt2', what='encoder', to='torch')


@pytest.mark.slow
@torch.no_grad()
def test_encoder_for_onnx(encoder_file, tmp_path):
    for package in ('onnx', 'onnxscript'):
        pytest.importorskip(package)
    runtime = pytest.importorskip('onnxruntime')
    model, path = encoder_file
    export(path, tmp_path / 'e.onnx', what='encoder', to='onnx')
    session = runtime.InferenceSession(tmp_path / 'e.onnx')
    images = torch.randn(4, 3, 256, 128)
    names = [f'level{i}' for i in range(6)]
    maps = session.run(names, dict(images=images.numpy()))
    for got, expected in zip(maps, model(images), strict=True):
        torch.testing.assert_close(
            torch.from_numpy(got), expected, atol=1e-4, rtol=1e-4
        )


@pytest.mark.slow
def test_a_wrong_graph_is_refused(encoder_file, tmp_path, monkeypatch):
    """Whatever makes the graph compute something else."""
    forward = ConvNeXtBlock.forward

    def wrong(block, x):
        out = forward(block, x)
        return out * 1.01 if torch.compiler.is_exporting() else out

    monkeypatch.setattr(ConvNeXtBlock, 'forward', wrong)
    with pytest.raises(ValueError, match='differs from the model by'):
        export(encoder_file[1], tmp_path / 'e.pt2', what='encoder', to='torch')
    assert not (tmp_path / 'e.pt2').exists()


def test_what_is_missing_is_named(encoder_file, tmp_path, monkeypatch):
    path = encoder_file[1]
    monkeypatch.setitem(sys.modules, 'onnxscript', None)
    monkeypatch.setitem(sys.modules, 'onnx', None)
    with pytest.raises(ImportError, match='pip install onnx onnxscript'):
        export(path, tmp_path / 'e.onnx', what='encoder', to='onnx')
