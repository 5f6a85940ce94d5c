"""The tool on folders of the test's own, as small as they may be."""

import json

import cv2
import numpy as np
import pytest
from PIL import Image

from mcjepa_mm.datasets.flow_files import write_flow


@pytest.fixture
def data(tmp_path):
    rng = np.random.default_rng(0)

    def save(name, array):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(array).save(path)

    def picture(height=64, width=64):
        coarse = rng.integers(256, size=(8, 8, 3), dtype=np.uint8)
        return cv2.resize(coarse, (width, height))

    for label in ('a', 'b'):
        for number in range(8):
            save(f'classes/{label}/{number}.png', picture())
    for split in ('train', 'val'):
        (tmp_path / 'seg').mkdir(exist_ok=True)
        # five to fit, since one of them is held out
        names = [f'{split}{k}' for k in range(5 if split == 'train' else 1)]
        (tmp_path / f'seg/{split}.txt').write_text('\n'.join(names))
        for name in names:
            save(f'seg/images/{name}.jpg', picture(192, 256))
            mask = rng.integers(12, size=(12, 16), dtype=np.uint8)
            save(f'seg/masks/{name}.png', mask.repeat(16, 0).repeat(16, 1))
    for clip, objects in (('one', 1), ('two', 2)):
        for t in range(5):
            save(f'vos/JPEGImages/{clip}/{t:05d}.jpg', picture(64, 64))
            mask = np.zeros((64, 64), np.uint8)
            mask[8:32, 8:32], mask[40:60, 40:60] = 1, objects
            save(f'vos/Annotations/{clip}/{t:05d}.png', mask)
    for number in (10, 11):
        save(f'flow/other-data/Venus/frame{number}.png', picture())
    flow = np.ones((2, 64, 64)) * [[[3]], [[4]]]
    for name in (
        'flow/other-gt-flow/Venus/flow10',
        'sintel/training/flow/alley/frame_0001',
        'sintel/training/flow/alley/frame_0002',
        'chairs/data/00001_flow',
    ):
        path = tmp_path / f'{name}.flo'
        path.parent.mkdir(parents=True, exist_ok=True)
        write_flow(path, flow)
    for number in (1, 2, 3):
        for style in ('clean', 'final'):
            name = f'{style}/alley/frame_{number:04d}.png'
            save(f'sintel/training/{name}', picture())
        save(f'chairs/data/00001_img{number}.ppm', picture())
    (tmp_path / 'chairs/FlyingChairs_train_val.txt').write_text('2')
    return tmp_path


@pytest.mark.slow
def test_measures_appends_and_prints(command, command_here, data):
    words = ['none', '--out', 'out/all.jsonl', '--arm', 'untrained']
    folders = ['--images', 'classes', '--segmentation', 'seg']
    folders += ['--davis', 'vos', '--middlebury', 'flow', '--references']
    done = command('real_evaluation', *words, *folders, '--seed', 3)
    assert done.returncode == 0, done.stderr
    folders = ['--middlebury', 'flow', '--sintel', 'sintel']
    folders += ['--flyingchairs', 'chairs', '--seed', 4]
    again = command('real_evaluation', *words, *folders)
    assert again.returncode == 0, again.stderr
    words[0], words[-1] = 'micro', 'named'
    folders = ['--middlebury', 'flow', '--seed', 0]
    option = 'model.head.decoder.propagation=()'
    named = command(
        'real_evaluation', *words, *folders, '--cfg-options', option
    )
    assert named.returncode == 0, named.stderr
    as_is = command_here('real_evaluation', *words, *folders)
    assert as_is.returncode == 0, as_is.stderr
    lines = (data / 'out/all.jsonl').read_text().splitlines()
    first, mask, colours, second, third, last = map(json.loads, lines)
    assert third['checkpoint'] == 'micro'
    assert third['cfg_options'] == [option]
    assert 'cfg_options' not in last
    assert third['middlebury'] != last['middlebury']
    assert (mask['arm'], colours['arm']) == ('first mask', 'colours')
    for record in (first, second):
        assert record['arm'] == 'untrained' and record['commit']
        assert record['processor'] and record['torch']
        venus = record['middlebury']['Venus']
        assert venus['zero'] == pytest.approx(5) and venus['pixels'] == 4096
    assert list(second['flyingchairs']) == ['00001_img1']
    pairs = [f'alley/frame_000{k}' for k in (1, 2)]
    pairs = [f'{style}/{x}' for style in ('clean', 'final') for x in pairs]
    assert list(second['sintel']) == pairs
    assert second['seed'] == 4 and 'davis' not in second
    assert first['images/classes']['queries'] == 4
    assert len(first['images/classes']['right']['knn_all']) == 4
    assert np.shape(first['segmentation']['areas']) == (1, 3, 11)
    assert {'strength', 'weighting'} < set(first['segmentation'])
    # the clip of two objects is left out
    assert list(first['davis']['stride8']) == ['one']
    assert mask['davis']['stride8']['one']['JF'] == 100
    table = again.stdout
    assert '|  | untrained (seeds 3, 4) | first mask (seed 0) | colours' in (
        table
    )
    rows = [line.split(' | ')[0] for line in table.splitlines()]
    raw = rows.index('| J&F all_stride4')
    assert rows[raw + 1] == '| J&F white_all_stride4'
    assert '| classes knn_last |' in table and '| EPE / zero |' in table
    assert '| EPE Sintel / zero |' in table


def test_flow_of_content_alone(command_here, data):
    words = ['none', '--config', 'vicreg_convnext-micro_1xb32_embedded']
    words += ['--arm', 'content', '--seed', 0, '--middlebury', 'flow']
    refused = command_here('real_evaluation', *words)
    assert refused.returncode != 0
    assert 'none has no motion task, so no flow of it' in refused.stderr
    assert not (data / 'work_dirs').exists()
    more = command_here('real_evaluation', *words, '--images', 'classes')
    assert more.returncode == 0, more.stderr
    assert 'no flow of it is measured' in more.stderr
    (line,) = (data / 'work_dirs/real_evaluation.jsonl').open()
    assert 'images/classes' in line and 'middlebury' not in line
