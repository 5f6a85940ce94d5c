from pathlib import Path

import cv2
import pytest
import torch
from mmengine.config import Config

from mcjepa_mm.datasets.embedded_world import EmbeddedWorld
from mcjepa_mm.registry import MODELS

CONFIG = Path(__file__).parents[1] / 'toys' / 'toy_flow_config.py'


@pytest.fixture
def demo(run, repo, tmp_path):
    """Run the script from a folder that is not the repository."""
    script = repo / 'tools' / 'flow_demo.py'
    return lambda *words: run('python', script, *words, cwd=tmp_path)


@pytest.fixture
def demo_here(run_here, repo, tmp_path):
    """The same in this process."""
    script = repo / 'tools' / 'flow_demo.py'
    return lambda *words: run_here(script, *words, cwd=tmp_path)


@pytest.fixture
def folder(tmp_path):
    """Four frames, and a checkpoint of the toy beside."""
    scene = EmbeddedWorld((64, 96)).scene(3)
    folder = tmp_path / 'clip'
    folder.mkdir()
    for t in range(4):
        assert cv2.imwrite(str(folder / f'{t}.png'), scene.frame(t))
    model = MODELS.build(Config.fromfile(CONFIG).model)
    torch.save(model.state_dict(), tmp_path / 'toy.pth')
    return folder


def files(folder):
    return sorted(
        str(x.relative_to(folder)) for x in folder.rglob('*') if x.is_file()
    )


@pytest.mark.slow
def test_a_folder_and_a_pair(demo, folder, tmp_path):
    done = demo(
        *(CONFIG, 'toy.pth', folder, '--out', 'out', '--device', 'cpu'),
        *('--save', 'video', 'occ', '--bidirectional', '--frames', 3),
        *('--scale', 0.5, '--batch-size', 2, '--max-flow', 4, '--fps', 5),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == 'out: flow of 2 pairs as video, occ'
    assert files(tmp_path / 'out') == [
        'clip_flow.mp4',
        'occ/0.png',
        'occ/1.png',
        'occ_bw/0.png',
        'occ_bw/1.png',
    ]
    capture = cv2.VideoCapture(str(tmp_path / 'out' / 'clip_flow.mp4'))
    assert capture.get(cv2.CAP_PROP_FPS) == 5

    pair = [folder / '1.png', folder / '3.png']
    done = demo(CONFIG, 'toy.pth', *pair, '--out', 'pair')
    assert done.returncode == 0, done.stderr
    assert files(tmp_path / 'pair') == ['color/1.png', 'flo/1.flo']


@pytest.mark.parametrize(
    'words, message',
    [
        (['no.pth', 'clip'], "checkpoint: there is no file 'no.pth'"),
        (['toy.pth', 'no.mp4'], "input: there is no file 'no.mp4'"),
        (
            ['toy.pth', 'clip/0.png', 'no.png'],
            "input: there is no file 'no.png'",
        ),
    ],
)
def test_a_missing_file_is_one_line(demo, folder, words, message):
    done = demo(CONFIG, *words, '--out', 'out')
    assert done.returncode == 2
    assert done.stderr == f'flow_demo.py: {message}\n'


@pytest.mark.slow
def test_other_errors_end_in_one_line(demo_here, folder, tmp_path):
    done = demo_here('nowhere', 'toy.pth', folder, '--out', 'out')
    assert done.returncode == 1 and 'Traceback' not in done.stderr
    assert "there is no config 'nowhere'" in done.stderr
    (folder / '2.png').write_bytes(b'')
    words = (folder, '--out', 'out', '--save', 'flo')
    done = demo_here(CONFIG, 'toy.pth', *words)
    assert done.returncode == 1 and 'Traceback' not in done.stderr
    assert '2.png cannot be read as an image: the file is empty' in done.stderr
    assert files(tmp_path / 'out') == ['flo/0.flo']


def test_help_is_short_of_torch(run, repo):
    done = run(
        *('python', '-X', 'importtime', repo / 'tools' / 'flow_demo.py', '-h')
    )
    assert done.returncode == 0 and '--bidirectional' in done.stdout
    imported = [line.split('|')[-1] for line in done.stderr.splitlines()]
    imported = {name.strip().split('.')[0] for name in imported}
    assert 'argparse' in imported
    assert not imported & {'torch', 'mmengine', 'numpy'}


def test_formats_are_those_of_the_package(demo):
    from mcjepa_mm.apis.flow_outputs import FORMATS

    done = demo('-h')
    assert '{' + ','.join(FORMATS) + '}' in done.stdout
