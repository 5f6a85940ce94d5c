"""Graphs of encoder and flow: their sizes, and that wrong ones are refused."""

import io
import sys
from importlib import import_module
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mcjepa_mm.exports import export
from mcjepa_mm.models.backbones import MCJEPAConvNeXt
from mcjepa_mm.models.backbones.layers import ConvNeXtBlock
from mcjepa_mm.registry import MODELS

CHANNELS = (4, 4, 8, 16, 24, 32)
ARCH = dict(depths=(1, 1, 1, 1), channels=CHANNELS[2:])
CONFIG = Path(__file__).parents[1] / 'toys' / 'toy_flow_config.py'


@pytest.fixture
def runtime():
    """onnxruntime, where all that an export to ONNX needs is installed."""
    for package in ('onnx', 'onnxscript'):
        pytest.importorskip(package)
    return pytest.importorskip('onnxruntime')


@pytest.fixture
def encoder_file(tmp_path):
    torch.manual_seed(0)
    model = MCJEPAConvNeXt(arch=ARCH, layer_scale_init_value=0).eval()
    torch.save(model.state_dict(), tmp_path / 'encoder.pth')
    return model, tmp_path / 'encoder.pth'


@pytest.fixture
def flow_file(tmp_path):
    """A small estimator that moves pixels, as a training leaves it."""
    config = Config.fromfile(CONFIG)
    # two levels: the recursion, in half of the time
    config.model.head.decoder.update(radius=1, finest=4, propagation=(2,))
    torch.manual_seed(0)
    model = MODELS.build(config.model).eval()
    path = tmp_path / 'flow.pth'
    meta = dict(cfg=config.pretty_text)
    torch.save(dict(state_dict=model.state_dict(), meta=meta), path)
    return model, path


def flow_of(model, *images):
    feats = [model.encode(x) for x in images]
    flow = model.estimate(*feats, images[0].shape[-2:])['flow_fw']
    assert flow.abs().max() > 0.1
    return flow


def by_trace(runtime, model, images, outs):
    """The function of a graph that the older ONNX exporter writes."""
    buffer = io.BytesIO()
    sides = {0: 'n', 2: 'h', 3: 'w'}
    with pytest.warns(DeprecationWarning, match='legacy'):
        torch.onnx.export(
            model,
            (images,),
            buffer,
            dynamo=False,
            input_names=['images'],
            output_names=outs,
            dynamic_axes={
                'images': sides,
                **{
                    out: {0: 'n', 2: f'h_{out}', 3: f'w_{out}'} for out in outs
                },
            },
        )
    session = runtime.InferenceSession(
        buffer.getvalue(), providers=['CPUExecutionProvider']
    )

    def run(images):
        maps = session.run(outs, dict(images=images.numpy()))
        return [torch.from_numpy(x) for x in maps]

    return run


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
    with pytest.raises(FileExistsError, match='e.pt2'):
        export(path, tmp_path / 'e.pt2', what='encoder', to='torch')


@pytest.mark.slow
@torch.no_grad()
def test_encoder_for_onnx(encoder_file, tmp_path, runtime):
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
@torch.no_grad()
def test_flow_for_torch(flow_file, tmp_path):
    model, path = flow_file
    found = export(path, tmp_path / 'f.pt2', what='flow', to='torch')
    assert list(found) == ['2 x 128 x 192', '1 x 192 x 128', '3 x 128 x 256']
    assert max(found.values()) <= 1e-3
    graph = torch.export.load(tmp_path / 'f.pt2').module()
    images = torch.randn(2, 4, 3, 256, 128)
    torch.testing.assert_close(
        graph(*images), flow_of(model, *images), atol=1e-3, rtol=0
    )


@pytest.mark.slow
@torch.no_grad()
def test_flow_for_onnx(flow_file, tmp_path, runtime):
    model, path = flow_file
    export(path, tmp_path / 'f.onnx', what='flow', to='onnx')
    session = runtime.InferenceSession(tmp_path / 'f.onnx')
    for shape in ((1, 3, 256, 128), (4, 3, 128, 192)):
        images = torch.randn(2, *shape)
        feed = dict(zip(('image1', 'image2'), images.numpy()))
        (flow,) = map(torch.from_numpy, session.run(['flow'], feed))
        torch.testing.assert_close(
            flow, flow_of(model, *images), atol=1e-3, rtol=0
        )


@pytest.mark.filterwarnings('ignore')
@torch.no_grad()
def test_encoder_by_the_older_exporter(runtime):
    """Traced at even sizes, it takes odd ones."""
    torch.manual_seed(0)
    arch = dict(depths=(1, 1, 1, 1), channels=(16, 16, 24, 32))
    model = MCJEPAConvNeXt(arch=arch, layer_scale_init_value=0).eval()
    graph = by_trace(
        runtime,
        model,
        torch.randn(2, 3, 64, 96),
        [f'level{i}' for i in range(6)],
    )
    for shape in ((2, 3, 64, 96), (1, 3, 150, 131), (3, 3, 128, 64)):
        images = torch.randn(shape)
        for got, expected in zip(graph(images), model(images), strict=True):
            allowed = 1e-5 * expected.abs().max().item()
            torch.testing.assert_close(got, expected, atol=allowed, rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize('shape', [(1, 6, 64, 64), (2, 6, 100, 150)])
@pytest.mark.filterwarnings('ignore')
@torch.no_grad()
def test_flow_by_the_older_exporter(flow_file, shape, runtime):
    """Traced where the coarsest map is one pixel, it takes larger ones."""
    model = flow_file[0]
    graph = by_trace(runtime, model, torch.randn(shape), ['level4', 'level5'])
    for shape in ((1, 6, 64, 64), (2, 6, 70, 140), (3, 6, 128, 64)):
        images = torch.randn(shape)
        for got, expected in zip(graph(images), model(images), strict=True):
            torch.testing.assert_close(got, expected, atol=1e-3, rtol=0)


@pytest.mark.slow
def test_a_wrong_graph_is_refused(encoder_file, tmp_path, monkeypatch):
    """Whatever makes the graph compute something else."""
    forward = ConvNeXtBlock.forward

    def wrong(block, x):
        out = forward(block, x)
        return out * 1.01 if torch.compiler.is_exporting() else out

    monkeypatch.setattr(ConvNeXtBlock, 'forward', wrong)
    with pytest.raises(ValueError, match='differs'):
        export(encoder_file[1], tmp_path / 'e.pt2', what='encoder', to='torch')
    assert not (tmp_path / 'e.pt2').exists()


def test_a_choice_that_rounding_decides_is_drawn_again():
    """An accident of one draw of images is not a wrong graph."""
    compare = import_module('mcjepa_mm.exports.export')._compare
    errors = iter([0.0, 2.0, 5e-4, 0.0])  # the second size takes two draws
    seen = []

    def graph(a, b):
        seen.append(a)
        return a + next(errors)

    found = compare(lambda a, b: a, graph, what='flow')
    assert list(found.values()) == pytest.approx([0, 5e-4, 0], abs=1e-6)
    assert seen[1].shape == seen[2].shape
    assert (seen[1] != seen[2]).all()
    with pytest.raises(ValueError, match='differs from the model by nan'):
        compare(lambda a, b: a, lambda a, b: a + torch.nan, what='flow')
    with pytest.raises(ValueError, match='differs from the model by 2.0e'):
        compare(lambda a, b: a, lambda a, b: a + 2, what='flow')
    errors = iter([2.0, 0.0])  # an encoder chooses nothing
    with pytest.raises(ValueError, match='differs from the model by'):
        compare(lambda a: a, lambda a: a + next(errors), what='encoder')


def test_what_is_missing_is_named(encoder_file, tmp_path, monkeypatch):
    path = encoder_file[1]
    monkeypatch.setitem(sys.modules, 'onnxscript', None)
    monkeypatch.setitem(sys.modules, 'onnx', None)
    with pytest.raises(ImportError, match='onnx onnxscript'):
        export(path, tmp_path / 'e.onnx', what='encoder', to='onnx')


def test_flow_that_cannot_be_built(encoder_file, flow_file, tmp_path):
    def refused(path, match, **kwargs):
        out = tmp_path / 'f.pt2'
        with pytest.raises(ValueError, match=match):
            export(path, out, what='flow', to='torch', **kwargs)
        assert not out.exists()

    refused(encoder_file[1], 'motion')
    model, path = flow_file
    torch.save(model.state_dict(), path)
    refused(path, 'config')
    refused(path, path.name, config=CONFIG)
    text = "model = dict(backbone=dict(type='mmpretrain.ResNet'), head=None)"
    torch.save(dict(state_dict=model.state_dict(), meta=dict(cfg=text)), path)
    refused(path, 'mmpretrain.ResNet')
