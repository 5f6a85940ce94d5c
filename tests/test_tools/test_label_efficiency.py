import json
import runpy

import numpy as np
import pytest
from PIL import Image

SCRIPT = 'tools/analysis_tools/label_efficiency.py'


def test_share_of_the_pictures(repo, monkeypatch):
    monkeypatch.syspath_prepend(repo / 'tools')
    choose = runpy.run_path(repo / SCRIPT)['choose']
    names = [f'{k:03d}' for k in range(100)]
    few = choose(names, 10, 0)
    # out of all the films, the same for all arms, other by seed
    assert few == [f'{k:03d}' for k in range(0, 100, 10)]
    assert len(set(choose(names, 10, 1))) == 10 and choose(names, 10, 1) != few
    assert sorted(choose(names, 100, 5)) == names
    assert len(choose(names, 0.1, 2)) == 1


@pytest.mark.slow
def test_trains_with_few_and_with_all(command, tmp_path):
    rng = np.random.default_rng(0)
    for folder in ('images', 'masks'):
        (tmp_path / 'camvid' / folder).mkdir(parents=True)
    for split in ('train', 'val'):
        names = [f'{split}{k}' for k in range(4)]
        path = tmp_path / 'camvid' / f'{split}.txt'
        path.write_text('\n'.join(names))
        for name in names:
            image = rng.integers(256, size=(192, 256, 3), dtype=np.uint8)
            mask = rng.integers(12, size=(12, 16), dtype=np.uint8)
            mask = mask.repeat(16, 0).repeat(16, 1)
            path = tmp_path / 'camvid'
            Image.fromarray(image).save(path / f'images/{name}.jpg')
            Image.fromarray(mask).save(path / f'masks/{name}.png')
    words = ['scratch=none', '--data', 'camvid', '--iters', 2]
    words += ['--labels', 50, 100, '--out', 'out.jsonl', '--seed', 1]
    words += ['--cfg-options', 'train_dataloader.batch_size=2']
    for key in ('train', 'val'):
        words += [f'{key}_dataloader.num_workers=0']
        words += [f'{key}_dataloader.persistent_workers=False']
    done = command('label_efficiency', *words)
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / 'out.jsonl').read_text().splitlines()
    few, every = map(json.loads, lines)
    assert (few['labels'], few['pictures'], few['arm']) == (50, 2, 'scratch')
    assert (every['labels'], every['pictures']) == (100, 4)
    for record in (few, every):
        assert 0 <= record['miou'] <= 100 and record['seed'] == 1
        assert record['processor'] and record['commit']
