"""The notebooks run from the first cell to the last, shortened."""

import json

import numpy as np
import pytest

pytestmark = pytest.mark.slow

SHORT = dict(
    pretraining=dict(
        NUM_IMAGES=8,
        NUM_VIDEOS=1,
        EPOCHS=1,
        EPOCH_LENGTH=3,
        OPTIONS=[
            'model.backbone.arch.channels=[8,8,16,16]',
            'model.heads.content.expander_channels=[16,16]',
            'model.heads.motion.decoder.finest=2',
            'model.heads.motion.decoder.hidden=[4]',
            'train_dataloader.content.batch_size=4',
            'train_dataloader.motion.batch_size=2',
            'val_dataloader.content.dataset.length=24',
            'val_dataloader.motion.dataset.length=2',
            'val_dataloader.propagation.dataset.length=1',
            'val_dataloader.propagation.dataset.num_frames=3',
        ]
        + [
            f'{part}_dataloader.{task}.num_workers=0'
            for part in ('train', 'val')
            for task in ('content', 'motion')
        ]
        + ['val_dataloader.propagation.num_workers=0'],
    ),
    own_video=dict(FRAMES=3),
)


@pytest.fixture
def execute(repo, tmp_path, monkeypatch):
    """Function of a notebook's name: what its cells have defined.

    They run in a folder beside demo/, as the notebooks are.
    """
    (tmp_path / 'demo').symlink_to(repo / 'demo')
    (tmp_path / 'examples').mkdir()
    monkeypatch.chdir(tmp_path / 'examples')

    def execute(name):
        path = repo / 'examples' / f'{name}.ipynb'
        cells = json.loads(path.read_text('utf-8'))['cells']
        cells = [x for x in cells if x['cell_type'] == 'code']
        assert not any(cell['outputs'] for cell in cells)
        names = {}
        for number, cell in enumerate(cells):
            code = ''.join(cell['source'])
            exec(compile(code, f'{name}, cell {number}', 'exec'), names)
            if 'parameters' in cell['metadata'].get('tags', ()):
                assert SHORT[name].keys() <= names.keys()
                names.update(SHORT[name])
        return names

    return execute


def test_pretraining(execute):
    found = execute('pretraining')
    assert {'motion/EPE', 'content/kNN'} <= {*found['run'].metrics}
    assert found['run'].checkpoint.is_file() and found['sheet'].is_file()


def test_own_video(execute):
    found = execute('own_video')
    assert found['flows'].shape == (2, 2, 192, 256)
    given, *_, last = found['frames']
    assert {*np.unique(last.objects)} <= {*np.unique(given.objects)}
    assert last.objects.any()
    assert found['level'].shape[1:] == (24, 32)
    assert found['vectors'].shape[0] == 3 and found['sheet'].is_file()
