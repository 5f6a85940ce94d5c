"""Python in the documents: all of it compiles, and what can, runs.

A comment before a block says what it needs (``<!-- needs epoch_8.pth -->``),
then it is compiled alone, or in which file it lies (``<!-- file my_job.py
-->``).
"""

import re
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mcjepa_mm.engine.job_length import set_job_length
from mcjepa_mm.engine.launch import build_runner, load_config
from mcjepa_mm.registry import MODELS

REPO = Path(__file__).resolve().parents[2]
CONFIGS = REPO / 'configs'
BLOCK = re.compile(
    r'(?:^<!-- (needs|file) (.*?) -->\n)?^```python\n(.*?)^```',
    re.MULTILINE | re.DOTALL,
)


def blocks():
    for path in (REPO / 'README.md', *sorted((REPO / 'docs').glob('*.md'))):
        text = path.read_text('utf-8')
        for match in BLOCK.finditer(text):
            line = text[: match.start()].count('\n') + 1
            yield pytest.param(*match.groups(), id=f'{path.name}:{line}')


def read(text, folder):
    """A block as a config; those of this package are the checkout's."""
    path = folder / 'block.py'
    path.write_text(text.replace('mcjepa_mm::', f'{CONFIGS}/'))
    return Config.fromfile(path)


@pytest.mark.parametrize('word, what, text', [*blocks()])
def test_python(word, what, text, tmp_path, monkeypatch):
    code = compile(text, 'block', 'exec')
    if word:
        return
    if '_base_ =' in text:
        assert read(text, tmp_path)
    else:
        monkeypatch.chdir(tmp_path)
        exec(code, {})


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """Folder with epoch_8.pth, a checkpoint of the default job."""
    folder = tmp_path_factory.mktemp('trained')
    cfg = Config.fromfile(CONFIGS / 'mcjepa_convnext.py')
    model = MODELS.build(dict(cfg.model.backbone, type='MCJEPAConvNeXt'))
    weights = {f'backbone.{k}': v for k, v in model.state_dict().items()}
    torch.save(dict(state_dict=weights), folder / 'epoch_8.pth')
    return folder


def test_loads_the_file_that_it_names(trained, monkeypatch):
    names = {}
    monkeypatch.chdir(trained)
    text = (REPO / 'docs' / 'swap.md').read_text('utf-8')
    (code,) = (x for *_, x in BLOCK.findall(text) if 'epoch_8.pth' in x)
    exec(code, names)
    cfg = names['model']['backbone']
    cfg = {k: v for k, v in cfg.items() if k != '_delete_'}
    backbone = MODELS.build(cfg)
    backbone.init_weights()
    saved = torch.load('epoch_8.pth', weights_only=True)['state_dict']
    loaded = backbone.state_dict()
    assert all(
        torch.equal(x, saved[f'backbone.{k}']) for k, x in loaded.items()
    )


def test_another_size_names_its_own(trained, monkeypatch):
    monkeypatch.chdir(trained)
    backbone = MODELS.build(
        dict(
            type='mcjepa_mm.MCJEPAConvNeXt',
            arch='pico',
            init_cfg=dict(
                type='Pretrained', checkpoint='epoch_8.pth', prefix='backbone.'
            ),
        )
    )
    said = r"arch=\{'depths': \(1, 1, 2, 1\), 'channels': \(48, 96, 160, 224\)"
    with pytest.raises(ValueError, match=said):
        backbone.init_weights()


def test_a_task_of_your_own_trains(tmp_path, monkeypatch):
    """As printed, but for the number of steps and the size of its batches."""
    for word, name, text in BLOCK.findall(
        (REPO / 'docs' / 'pretraining.md').read_text('utf-8')
    ):
        if word == 'file':
            text = text.replace('mcjepa_mm::', f'{CONFIGS}/')
            (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    cfg = load_config(
        str(tmp_path / 'my_job.py'),
        work_dir=str(tmp_path / 'work'),
        cfg_options=[
            f'train_dataloader.{task}.{option}'
            for task in ('content', 'motion', 'turn')
            for option in ('batch_size=4', 'num_workers=0')
        ],
    )
    set_job_length(cfg, epochs=1, epoch_length=2)
    cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
    cfg.custom_hooks = [  # pictures are of the validation's data
        x for x in cfg.custom_hooks if x.type != 'PretrainVisualizationHook'
    ]
    runner = build_runner(cfg)
    before = runner.model.heads.turn.classifier.weight.clone()
    runner.train()
    assert runner.iter == 2
    assert not torch.equal(before, runner.model.heads.turn.classifier.weight)
    losses = runner.message_hub.get_scalar('train/turn.turn').data[0]
    assert len(losses) == 2 and torch.tensor(losses).isfinite().all()
