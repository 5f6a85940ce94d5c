import pytest
import torch

from mcjepa_mm.datasets.embedded_world import EmbeddedWorld
from mcjepa_mm.models import MCJEPAConvNeXt
from mcjepa_mm.utils.image_file import write_image


@pytest.fixture
def draw(run, repo, tmp_path):
    """Run the script from a folder that is not the repository."""
    script = repo / 'tools' / 'feature_maps.py'
    return lambda *words: run('python', script, *words, cwd=tmp_path)


@pytest.fixture
def draw_here(run_here, repo, tmp_path):
    """The same in this process."""
    script = repo / 'tools' / 'feature_maps.py'
    return lambda *words: run_here(script, *words, cwd=tmp_path)


@pytest.fixture
def images(tmp_path):
    """Two images, and a checkpoint of the backbone beside."""
    world = EmbeddedWorld((64, 96))
    for i in range(2):
        write_image(tmp_path / 'in' / f'{i}.png', world.scene(i).frame(0))
    arch = dict(depths=(1, 1, 1, 1), channels=(4, 6, 8, 10))
    torch.save(MCJEPAConvNeXt(arch).state_dict(), tmp_path / 'toy.pth')
    return tmp_path / 'in'


@pytest.mark.slow
def test_a_folder_and_a_file(draw, images, tmp_path):
    done = draw(
        *('toy.pth', 'in', 'in/1.png', '--out', 'out', '--device', 'cpu'),
        *('--size', 48, '--strides', *'221222', '--shared', '--untrained'),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == 'out: feature maps of 3 images'
    names = ['000000_0.png', '000001_1.png', '000002_1.png']
    assert sorted(x.name for x in (tmp_path / 'out').iterdir()) == names


@pytest.mark.parametrize(
    'words, message',
    [
        (['no.pth', 'in'], "checkpoint: there is no file 'no.pth'"),
        (['toy.pth', 'in', 'no.png'], "input: there is no file 'no.png'"),
    ],
)
def test_a_missing_file_is_one_line(draw, images, words, message):
    done = draw(*words, '--out', 'out')
    assert done.returncode == 2
    assert done.stderr == f'feature_maps.py: {message}\n'


@pytest.mark.slow
def test_other_errors_end_in_one_line(draw_here, images, tmp_path):
    (tmp_path / 'empty').mkdir()
    for words, message in (
        (['toy.pth', 'empty', '--out', 'out'], 'empty holds 0 images'),
        (['toy.pth', 'in', '--out', 'toy.pth/a'], 'toy.pth'),
    ):
        done = draw_here(*words)
        assert done.returncode == 1 and 'Traceback' not in done.stderr
        assert message in done.stderr.splitlines()[-1]
    assert not (tmp_path / 'out').exists()


def test_help_is_short_of_torch(run, repo):
    script = repo / 'tools' / 'feature_maps.py'
    done = run('python', '-X', 'importtime', script, '-h')
    assert done.returncode == 0 and '--untrained' in done.stdout
    imported = [line.split('|')[-1] for line in done.stderr.splitlines()]
    imported = {name.strip().split('.')[0] for name in imported}
    assert 'argparse' in imported
    assert not imported & {'torch', 'mmengine', 'numpy'}
