"""The checks of a GPU, run on what is here; and that each can fail."""

import importlib
import json
import re
from contextlib import nullcontext

import pytest
import torch
from torch import nn

checks = importlib.import_module('_gpu_checks')
speed = importlib.import_module('_gpu_speed')
tool = importlib.import_module('gpu_check')
DEVICES = ['cpu'] + ['cuda:0'] * torch.cuda.is_available()
OPERATORS = [x for x in checks.CHECKS if x.startswith('operator')]
TRAININGS = [x for x in checks.CHECKS if x not in OPERATORS]


@pytest.mark.gpu
@pytest.mark.parametrize('device', DEVICES)
@pytest.mark.parametrize('name', OPERATORS)
def test_operators(name, device):
    try:
        checks.CHECKS[name](device)
    except checks.LeftOutError:
        assert 'mmcv' in name


@pytest.fixture
def without_onednn(name):
    """For float16: oneDNN's is slow on CPUs that have it, by a reference."""
    with (
        torch.backends.mkldnn.flags(enabled=False)
        if 'float16' in name.split()
        else nullcontext()
    ):
        yield


@pytest.mark.gpu
@pytest.mark.slow
@pytest.mark.usefixtures('without_onednn')
@pytest.mark.parametrize('device', DEVICES)
@pytest.mark.parametrize('name', TRAININGS)
def test_trainings(name, device):
    checks.CHECKS[name](device)


class Scaled(nn.Module):
    """A function whose values, or gradients, are off by a twentieth."""

    def __init__(self, function, of_values):
        super().__init__()
        self.function, self.of_values = function, of_values

    def forward(self, *inputs):
        values = self.function(*inputs)
        if isinstance(values, dict):
            values = values.values()
        values = [values] if isinstance(values, torch.Tensor) else values
        if self.of_values:
            return [1.05 * x for x in values]
        return [1.05 * x - 0.05 * x.detach() for x in values]


@pytest.mark.parametrize('name', checks.OPERATORS)
def test_a_wrong_operator_is_caught(name):
    torch.manual_seed(0)
    function, inputs = checks.OPERATORS[name]()
    tolerance = checks.LOOSER.get(name, checks.TOLERANCE)
    words = {'value': True, 'gradient': False}
    if not checks.outcome(function, inputs, 'cpu', torch.float32)[1]:
        del words['gradient']
    for word, of_values in words.items():
        with pytest.raises(AssertionError, match=f'^{word}.* differs'):
            checks.compare(
                Scaled(function, of_values), function, inputs, 'cpu', tolerance
            )


def test_a_fault_inside_of_the_cost_volume_is_caught(monkeypatch):
    module = importlib.import_module('mcjepa_mm.models.flow.cost_volume')
    add = module._add_product

    def add_float32_wrongly(total, a, b, scale):
        add(total, a, b, scale * (1.01 if a.dtype == torch.float32 else 1))

    monkeypatch.setattr(module, '_add_product', add_float32_wrongly)
    with pytest.raises(AssertionError, match='^gradient 0 .*differs'):
        checks.check_operator('cost volume', 'cpu')


def test_mmcvs_correlation_has_the_form_of_ours():
    """With its stand-in, where it is not compiled."""
    inputs = [*torch.randn(2, 1, 8, 6, 20)]
    ours = checks.flow.cost_volume
    checks.compare(checks.mmcv_correlation, ours, inputs, 'cpu')


def test_the_batch_does_not_depend_on_what_was_drawn_before():
    first = checks.batch()
    checks.batch.cache_clear()
    again = checks.batch()
    for task, views in first.items():
        assert torch.equal(views['inputs'], again[task]['inputs'])


@pytest.mark.slow
@pytest.mark.usefixtures('without_onednn')
@pytest.mark.parametrize('name', [x for x in TRAININGS if x[10:] != 'float32'])
def test_a_training_that_goes_another_way_is_caught(name, monkeypatch):
    build, built = checks.training_step, []
    checks.cpu_curve()

    def with_another_rate(path, shapes, options, device):
        built.append(options)
        other = any(x in name for x in ('bfloat16', 'float16'))
        if other or len(built) == 2:
            options = dict(options, optim_wrapper=dict(optimizer=dict(lr=0.0)))
        return build(path, shapes, options, device)

    monkeypatch.setattr(checks, 'training_step', with_another_rate)
    with pytest.raises(AssertionError, match='loss of step'):
        checks.CHECKS[name]('cpu')


def test_operations_are_counted():
    encoder = speed.encoder
    options = dict(layer_scale=False, channels_last=True)
    work = encoder.make('mcjepa', 'cpu', 1, **options)()
    counted = speed.operations(work)
    assert counted == pytest.approx(encoder.operations(1), rel=1e-6)


def test_who_waits(monkeypatch):
    monkeypatch.setattr(
        speed, 'loading', lambda: dict(content=0.25, motion=0.5)
    )
    monkeypatch.setattr(speed.os, 'sched_getaffinity', lambda _: {0, 1})
    # 2 images and 1 pair, 1 s of a core
    found = speed.demand('cpu', 0.5)
    assert found == dict(
        views=8.0,
        pairs=2.0,
        views_of_a_core=8.0,
        pairs_of_a_core=2.0,
        cores=2,
        available=2,
    )
    step = dict(part='step', share=0.39)
    slow, keeps_up = speed.judge(step, found, 'cuda:0')
    assert (slow['found'], slow['reached']) == ('39.0%', 'no')
    assert keeps_up['reached'] == 'yes' and 'loader waits' in keeps_up['found']
    _, late = speed.judge(step, dict(found, cores=3), 'cuda:0')
    assert late['reached'] == 'no' and 'GPU waits' in late['found']
    assert speed.judge(step, found, 'cpu')[0]['reached'] == 'not judged'


@pytest.mark.slow
def test_the_parts_that_are_timed(monkeypatch):
    shapes = dict(content=(2, 2, 3, 64, 64), motion=(1, 2, 3, 64, 64))
    monkeypatch.setattr(speed, 'recipe_shapes', lambda device: shapes)
    assert {speed.JOB, speed.RECIPE} <= {*speed.STEPS}
    monkeypatch.setattr(speed, 'STEPS', {speed.JOB: shapes})
    monkeypatch.setattr(speed, 'RECIPE', speed.JOB)
    found = list(speed.rows('cpu'))
    assert {x['part'] for x in found} >= {
        'matrix product',
        'encoder, ConvNeXt-T',
        'cost volume',
        'VICReg',
        'step, default job',
    }
    last = found[-1]
    assert (last['part'], last['dtype']) == ('step, ConvNeXt-T', 'bfloat16')
    rates = {x['dtype']: x['TFLOP/s'] for x in found[:2]}
    for row in found[2:]:
        assert row['ms'] > 0 and row['GiB'] is None
        rate = row['share'] * rates[row['dtype']]
        assert row['TFLOP/s'] == pytest.approx(rate)


def test_a_report_of_what_fails_and_of_what_takes_too_long(
    command_here, monkeypatch, tmp_path
):
    def fail(device):
        raise AssertionError(f'1 expected\non {device}, got 2')

    def sit_out(device):
        raise checks.LeftOutError('no such thing')

    def last_for_ever(device):
        while True:
            pass

    monkeypatch.setattr(
        checks,
        'CHECKS',
        dict(good=lambda _: None, bad=fail, odd=sit_out)
        | dict(long=last_for_ever, last=fail),
    )
    words = ('--device', 'cpu', '--minutes', 0.02)
    done = command_here('gpu_check', *words)
    assert done.returncode == 1
    folder = tmp_path / 'work_dirs' / 'gpu_check'
    report = json.loads((folder / 'report.json').read_text())
    assert [x['result'] for x in report['checks']] == [
        'ok',
        'FAILED',
        'left out',
    ]
    assert report['left'] == ['long', 'speed', 'loading', 'last']
    text = (folder / 'report.md').read_text()
    assert text in done.stdout
    assert '1 ok, 1 FAILED, 1 left out' in text
    assert '1 expected on cpu, got 2' in text
    assert '- odd: no such thing' in text
    assert '- the time was up before: long, speed, loading, last' in text


@pytest.mark.parametrize(
    'asked, said',
    [
        ('cuda', '0,2 A100; 1 T4.*CUDA_VISIBLE_DEVICES.*--device cuda:0'),
        (None, '0,2 A100; 1 T4'),
        ('cuda:3', "cuda:3: there is no such GPU.*'T4'"),
        ('tpu', "got 'tpu'"),
    ],
)
def test_gpus_that_cannot_be_taken(asked, said, monkeypatch):
    names = ['A100', 'T4', 'A100']
    monkeypatch.setattr(torch.version, 'cuda', '12.8')
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 3)
    monkeypatch.setattr(torch.cuda, 'get_device_name', names.__getitem__)
    with pytest.raises(ValueError, match=said):
        tool.choose_device(asked)
    assert tool.choose_device('cuda:1') == 'cuda:1'


@pytest.mark.skipif(
    bool(torch.version.cuda), reason='this torch is built with CUDA'
)
def test_a_torch_without_cuda():
    assert tool.choose_device(None) == 'cpu'
    with pytest.raises(ValueError, match=f'{re.escape(torch.__version__)}.*'):
        tool.choose_device('cuda')


def test_a_folder_that_cannot_be_written_is_told_first(command_here, tmp_path):
    (tmp_path / 'file').touch()
    done = command_here('gpu_check', '--device', 'cpu', '--out', 'file/x')
    assert done.returncode == 1 and not done.stdout
    (line,) = done.stderr.splitlines()
    assert '--out file/x' in line and 'Not a directory' in line
