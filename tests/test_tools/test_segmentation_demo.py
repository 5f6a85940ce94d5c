from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mcjepa_mm.datasets.embedded_world import EmbeddedWorld
from mcjepa_mm.registry import MODELS
from mcjepa_mm.utils.image_file import write_image

CONFIG = Path(__file__).parents[1] / 'toys' / 'toy_segmentation_config.py'


@pytest.fixture
def demo(run, repo, tmp_path):
    """Run the script from a folder that is not the repository."""
    script = repo / 'tools' / 'segmentation_demo.py'
    return lambda *words: run('python', script, *words, cwd=tmp_path)


@pytest.fixture
def demo_here(run_here, repo, tmp_path):
    """The same in this process."""
    script = repo / 'tools' / 'segmentation_demo.py'
    return lambda *words: run_here(script, *words, cwd=tmp_path)


@pytest.fixture
def images(tmp_path):
    """Two images, and a checkpoint of the toy beside."""
    world = EmbeddedWorld((64, 96))
    for i in range(2):
        write_image(tmp_path / 'in' / f'{i}.png', world.scene(i).frame(0))
    with DefaultScope.overwrite_default_scope('mmseg'):
        model = MODELS.build(Config.fromfile(CONFIG).model)
    torch.save(model.state_dict(), tmp_path / 'toy.pth')
    return tmp_path / 'in'


@pytest.mark.slow
def test_a_folder_and_options(demo, images, tmp_path):
    done = demo(
        *(CONFIG, 'toy.pth', 'in', '--out', 'out', '--device', 'cpu'),
        *('--opacity', 0.8, '--names'),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == 'out: classes of 2 images'
    files = [x for x in (tmp_path / 'out').rglob('*') if x.is_file()]
    assert sorted(str(x.relative_to(tmp_path / 'out')) for x in files) == [
        *('mask/0.png', 'mask/1.png', 'overlay/0.png', 'overlay/1.png')
    ]


@pytest.mark.parametrize(
    'words, message',
    [
        (['no.pth', 'in'], "checkpoint: there is no file 'no.pth'"),
        (['toy.pth', 'no'], "input: there is no file 'no'"),
    ],
)
def test_a_missing_file_is_one_line(demo, tmp_path, words, message):
    (tmp_path / 'toy.pth').touch()
    (tmp_path / 'in').mkdir()
    done = demo(CONFIG, *words, '--out', 'out')
    assert done.returncode == 2
    assert done.stderr == f'segmentation_demo.py: {message}\n'


@pytest.mark.slow
def test_other_errors_end_in_one_line(demo_here, images, tmp_path):
    torch.save(dict(a=torch.zeros(1)), tmp_path / 'other.pth')
    for words, message in (
        (['nowhere', 'toy.pth'], "there is no config 'nowhere'"),
        ([CONFIG, 'other.pth'], 'other.pth does not fit the model'),
    ):
        done = demo_here(*words, 'in', '--out', 'out')
        assert done.returncode == 1 and 'Traceback' not in done.stderr
        assert message in done.stderr.splitlines()[-1]
    assert not (tmp_path / 'out').exists()


def test_help_is_short_of_torch(run, repo):
    script = repo / 'tools' / 'segmentation_demo.py'
    done = run('python', '-X', 'importtime', script, '-h')
    assert done.returncode == 0 and '--opacity' in done.stdout
    imported = [line.split('|')[-1] for line in done.stderr.splitlines()]
    imported = {name.strip().split('.')[0] for name in imported}
    assert 'argparse' in imported
    assert not imported & {'torch', 'mmengine', 'numpy'}
