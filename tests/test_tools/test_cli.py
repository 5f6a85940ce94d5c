"""What all commands have in common: help, and errors of one line."""

import json
from pathlib import Path

import pytest
import torch
from commands import find_commands

REPO = Path(__file__).resolve().parents[2]
TOOLS = REPO / 'tools'
SCRIPTS = {name: next(TOOLS.rglob(f'{name}.py')) for name in find_commands()}
MIM = REPO / 'mcjepa_mm' / '.mim' / 'tools'
TOY = REPO / 'tests' / 'test_package' / 'toy_config.py'
SEGMENTOR = REPO / 'tests' / 'toys' / 'toy_segmentation_config.py'
VOS = 'label-propagation_mcjepa-convnext-tiny_davis2017-480p'


#: Asks each script for its help, in one process.
ASK = """
import contextlib, io, json, runpy, sys
answers = {}
for path in sys.argv[1:]:
    sys.argv = [path, '-h']
    sys.path.insert(0, path.rsplit('/', 1)[0])
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        try:
            runpy.run_path(path, run_name='__main__')
        except SystemExit as end:
            assert not end.code, path
    slow = {'torch', 'mmengine', 'numpy'} & set(sys.modules)
    answers[path] = [' '.join(text.getvalue().split()), sorted(slow)]
print(json.dumps(answers))
"""


@pytest.fixture(scope='module')
def helps(run):
    done = run('python', '-c', ASK, *SCRIPTS.values())
    assert done.returncode == 0, done.stderr
    return {Path(k).stem: v for k, v in json.loads(done.stdout).items()}


@pytest.mark.parametrize('name', SCRIPTS)
def test_help_is_short_of_torch_and_of_the_word_mim_looks_for(name, helps):
    text, slow = helps[name]
    assert text.startswith(f'usage: {name}.py') and not slow
    # MIM would add options of its own
    assert '--gpus' not in text
    [script] = MIM.rglob(f'{name}.py')  # MIM takes the first that it meets
    assert script.samefile(SCRIPTS[name])


OUT = ('--out', 'out')
TO = ('--to', 'timm', '--out', 'a.pth')
ARM = ('--arm', 'x', '--seed', 0)
VECTORS = ('--weights', 'toy.pth')
HOLD = ('clip', 'first.png', '--checkpoint', 'toy.pth')


@pytest.mark.parametrize(
    'status, named, words',
    [
        (2, 'nowhere.py', ('train', 'nowhere.py')),
        (2, 'no.pth', ('train', TOY, '--resume', 'no.pth')),
        (1, 'train_cfg', ('train', VOS)),
        (2, 'no.pth', ('test', TOY, 'no.pth')),
        (1, 'train_cfg', ('check', SEGMENTOR)),
        (1, 'no.py', ('evaluate', 'no.py', 'toy.pth')),
        (1, 'last_checkpoint', ('evaluate', TOY, 'clip')),
        (1, 'toy.pth', ('publish', 'toy.pth')),
        (2, 'no.pth', ('convert_keys', 'no.pth', *TO)),
        (2, 'kitti', ('export_embedded_world', 'kitti', 'out')),
        (2, 'checkpoint', ('diagnose',)),
        (1, 'clip', ('diagnose', 'toy.pth', '--images', 'clip')),
        (1, "'no'", ('diagnose', 'toy.pth', '--videos', 'no')),
        (2, 'no.png', ('feature_maps', 'toy.pth', 'clip', 'no.png', *OUT)),
        (1, 'clip is no run', ('compare', 'clip')),
        (2, "'no'", ('embed', 'no', *VECTORS, '--to', 'a.npy')),
        (2, '--sheet', ('embed', 'clip', *VECTORS)),
        (2, 'no.pth', ('flow_demo', TOY, 'no.pth', 'clip', *OUT)),
        (2, 'no.mp4', ('flow_demo', TOY, 'toy.pth', 'no.mp4', *OUT)),
        (1, "'no'", ('flow_demo', 'no', 'toy.pth', 'clip', *OUT)),
        (2, 'INPUT', ('flow_demo', TOY, 'toy.pth', *OUT)),
        (2, 'no.pth', ('segmentation_demo', TOY, 'no.pth', 'clip', *OUT)),
        (1, "'no'", ('segmentation_demo', 'no', 'toy.pth', 'first.png', *OUT)),
        (2, 'no.png', ('vos_demo', 'clip', 'no.png', *HOLD[2:], *OUT)),
        (2, 'no.pth', ('vos_demo', *HOLD, '--whiten', 'no.pth', *OUT)),
        (2, 'KEY', ('publish', 'toy.pth', '--card', 'mine')),
        (2, 'no.json', ('publish', 'toy.pth', '--figures', 'no.json')),
        (2, 'none.pth', ('label_propagation', 'none.pth')),
        (2, '--dev-clips', ('label_propagation', '--clips', 'a')),
        (
            2,
            '--choose-on',
            ('label_propagation', '--davis', '.', '--choose-on', 2),
        ),
        (2, '--whiten-im', ('label_propagation', '--whiten', 'images')),
        (2, "'most'", ('label_propagation', '--levels', 'most')),
        (1, 'nowhere', ('linear_classification', 'a', '--data', 'nowhere')),
        (1, 'x.pth', ('linear_segmentation', 'x.pth')),
        (2, 'ARM=none', ('label_efficiency', 'a.pth')),
        (2, 'a.pth', ('real_evaluation', 'a.pth', '--davis', '.', *ARM)),
        (2, 'folder', ('real_evaluation', 'none', *ARM)),
        (
            1,
            'model.heads.x.y',
            (
                *('real_evaluation', 'micro', '--middlebury', 'clip', *ARM),
                *('--cfg-options', 'model.heads.x.y=1'),
            ),
        ),
        (
            1,
            'propagation',
            (
                *('real_evaluation', 'micro', '--middlebury', 'clip', *ARM),
                *('--cfg-options', 'propagation=()'),
            ),
        ),
        (
            2,
            '--cfg-options',
            (
                *('real_evaluation', 'none', '--davis', 'clip', *ARM),
                *('--cfg-options', 'a=1'),
            ),
        ),
        (1, 'train.txt', ('real_evaluation', 'none', '--seg', '.', *ARM)),
        (2, 'none.py', ('scaling', '--config', 'none.py')),
        (2, 'decoder', ('benchmark', 'decoder')),
    ],
)
def test_an_error_is_one_line_that_names_it(
    command_here, tmp_path, status, named, words
):
    (tmp_path / 'clip').mkdir()
    for name in ('toy.pth', 'first.png'):
        (tmp_path / name).touch()
    torch.save(dict(state_dict=dict(x=torch.zeros(1))), tmp_path / 'x.pth')
    before = sorted(tmp_path.rglob('*'))
    done = command_here(*words)
    assert done.returncode == status, done.stderr
    assert named in done.stderr.splitlines()[-1]
    assert 'Traceback' not in done.stderr
    assert sorted(tmp_path.rglob('*')) == before
