import cv2
import numpy as np
import pytest
import torch

from mcjepa_mm.datasets.embedded_world import EmbeddedWorld
from mcjepa_mm.models.backbones import MCJEPAConvNeXt
from mcjepa_mm.utils.image_file import (
    pascal_palette,
    write_image,
    write_label_map,
)

TOY = ('clip', 'first.png', '--checkpoint', 'toy.pth')
ARCH = dict(depths=(1, 1, 1, 1), channels=(4, 8, 12, 16))


@pytest.fixture
def demo(run, repo, tmp_path):
    """Run the script from a folder that is not the repository."""
    script = repo / 'tools' / 'vos_demo.py'
    return lambda *words: run('python', script, *words, cwd=tmp_path)


@pytest.fixture
def demo_here(run_here, repo, tmp_path):
    """The same in this process."""
    script = repo / 'tools' / 'vos_demo.py'
    return lambda *words: run_here(script, *words, cwd=tmp_path)


@pytest.fixture
def clip(tmp_path):
    """Three frames, the first mask, and a checkpoint beside."""
    scene = EmbeddedWorld((64, 96)).scene(3)
    for t in range(3):
        write_image(tmp_path / 'clip' / f'{t}.png', scene.frame(t))
    mask = scene.instance_mask(0)
    write_label_map(tmp_path / 'first.png', mask, pascal_palette())
    write_label_map(tmp_path / 'empty.png', 0 * mask, pascal_palette())
    encoder = MCJEPAConvNeXt(ARCH)
    state = {f'backbone.{k}': v for k, v in encoder.state_dict().items()}
    torch.save(dict(state_dict=state), tmp_path / 'toy.pth')
    return tmp_path


def files(folder):
    return sorted(
        str(x.relative_to(folder)) for x in folder.rglob('*') if x.is_file()
    )


@pytest.mark.slow
def test_a_folder_and_options(demo, clip):
    done = demo(
        *('clip', 'first.png', '--checkpoint', 'toy.pth', '--out', 'out'),
        *('--stride', 4, '--levels', 'all', '--short-side', 128),
        *('--context-frames', 1, '--radius', 3, '--topk', 2),
        *('--temperature', 0.2, '--max-memory', 16, '--dtype', 'bfloat16'),
        *('--whiten', 'first_frame', '--shrinkage', 0.01),
        *('--opacity', 0.8, '--fps', 5, '--frames', 2, '--device', 'cpu'),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == 'out: objects of 2 frames'
    assert files(clip / 'out') == [
        *('masks/clip/0.png', 'masks/clip/1.png', 'overlays/clip.mp4')
    ]
    capture = cv2.VideoCapture(str(clip / 'out' / 'overlays' / 'clip.mp4'))
    assert capture.get(cv2.CAP_PROP_FPS) == 5
    frame = capture.read()[1]
    assert frame.shape == (64, 96, 3) and np.ptp(frame) > 0


@pytest.mark.slow
def test_a_config_by_its_name(demo, clip):
    name = 'label-propagation_mcjepa-convnext-micro_embedded-davis.py'
    done = demo(
        *('clip', 'first.png', '--config', name, '--out', 'out'),
        *('--short-side', 64, '--frames', 1),
    )
    assert done.returncode == 0, done.stderr
    assert 'No checkpoint is given' in done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == 'out: objects of 1 frames'


@pytest.mark.parametrize(
    'words, message',
    [
        (['no', 'first.png'], "video: there is no file 'no'"),
        (['clip', 'no.png'], "mask: there is no file 'no.png'"),
        (
            ['clip', 'first.png', '--checkpoint', 'no.pth'],
            "checkpoint: there is no file 'no.pth'",
        ),
        (
            [*TOY, '--whiten', 'no.pth'],
            "whiten: there is no file 'no.pth'",
        ),
        (
            ['clip', 'first.png'],
            'give --checkpoint, --config or both; -h lists the options',
        ),
    ],
)
def test_a_missing_file_is_one_line(demo, tmp_path, words, message):
    (tmp_path / 'clip').mkdir()
    (tmp_path / 'first.png').touch()
    (tmp_path / 'toy.pth').touch()
    if 'no' in words or 'no.png' in words:
        words = [*words, '--checkpoint', 'toy.pth']
    done = demo(*words, '--out', 'out')
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == f'vos_demo.py: {message}'
    assert not (tmp_path / 'out').exists()


@pytest.mark.slow
def test_other_errors_end_in_one_line(demo_here, clip):
    model = ['--checkpoint', 'toy.pth', '--out', 'out']
    for words, message in (
        (['clip', 'empty.png', *model], 'empty.png has no object'),
        (
            ['clip', 'first.png', *model, '--stride', 12],
            'no level of the pyramid has stride 12',
        ),
        (
            [*TOY, '--out', 'out', '--shrinkage', 0],
            'shrinkage must be above 0 and at most 1, got 0.0',
        ),
        (
            [*TOY, '--out', 'out', '--whiten', 'toy.pth'],
            'toy.pth holds no whitening: expected the mean and the matrix of '
            "each level, as fit_whitening() writes them, got ['backbone.",
        ),
    ):
        done = demo_here(*words)
        assert done.returncode == 1 and 'Traceback' not in done.stderr
        assert message in done.stderr.splitlines()[-1]
    assert not (clip / 'out').exists()


def test_help_is_short_of_torch(run, repo):
    script = repo / 'tools' / 'vos_demo.py'
    done = run('python', '-X', 'importtime', script, '-h')
    assert done.returncode == 0 and '--context-frames' in done.stdout
    imported = [line.split('|')[-1] for line in done.stderr.splitlines()]
    imported = {name.strip().split('.')[0] for name in imported}
    assert 'argparse' in imported
    assert not imported & {'torch', 'mmengine', 'numpy'}
