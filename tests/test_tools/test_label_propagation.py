import json

import numpy as np
import pytest
import torch

from mcjepa_mm.datasets.embedded_world.export import export
from mcjepa_mm.models.backbones import MCJEPAConvNeXt

ARCH = dict(depths=(1, 1, 2, 1), channels=(8, 12, 16, 20))
FIGURES = ('JF_mean', 'J_mean', 'F_mean')
SIZE = (64, 64)


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    encoder = MCJEPAConvNeXt(ARCH, layer_scale_init_value=0.0)
    encoder.init_weights()
    state = {f'backbone.{k}': v for k, v in encoder.state_dict().items()}
    path = tmp_path_factory.mktemp('run') / 'epoch_1.pth'
    torch.save(dict(state_dict=state), path)
    return path


def read_table(text):
    """The rows of a table by what precedes the figures."""
    head, rule, *rows = text.strip().splitlines()
    assert len(rule.split('|')) == len(head.split('|'))
    rows = [row.strip('| ').split(' | ') for row in rows]
    return {
        tuple(row[:-3]): [float(x.rstrip(' *')) for x in row[-3:]]
        for row in rows
    }


@pytest.mark.slow
def test_measures_encoders_and_what_stands_beside_them(
    command, checkpoint, tmp_path
):
    """On clips as small as they may be, at both scales, raw and whitened."""
    done = command(
        'label_propagation',
        checkpoint,
        *('--out', 'tables/one.md', '--num-scenes', 1, '--num-frames', 3),
        *('--seeds', 1),
    )
    assert done.returncode == 0, done.stderr
    text = (tmp_path / 'tables' / 'one.md').read_text()
    assert done.stdout.endswith(f'\n{text}\n')
    title, rows, differences = text.split('\n\n')
    assert title == 'Test clips: 1, in per cent'
    found = read_table(rows)
    settings = [
        (str(side), '4', whiten)
        for side in (128, 384)
        for whiten in ('-', 'first frame')
    ]
    assert list(found) == [
        *((str(checkpoint), a, b, 'all', c) for a, b, c in settings),
        *(('random, seed 0', a, b, 'all', c) for a, b, c in settings),
        *(('colours of the cells', a, b, '-', c) for a, b, c in settings),
        ('the first mask', '-', '-', '-', '-'),
        ('perfect features', '128', '4', '-', '-'),
        ('perfect features', '384', '4', '-', '-'),
        ('perfect features, a cell each pixel', '512', '4', '-', '-'),
    ]
    for both, region, outline in found.values():
        assert both == pytest.approx((region + outline) / 2, abs=0.011)
    perfect = found.pop(list(found)[-1])
    assert perfect[1] > 99
    # which no other features come near to, at either size
    for side in ('128', '384'):
        rows = {k[0]: row[0] for k, row in found.items() if k[1] == side}
        best = rows.pop('perfect features')
        assert best > max(85, *rows.values())
    for row in found.values():
        assert 0 < row[0] < perfect[0]
    assert len({tuple(row) for row in found.values()}) == len(found)
    assert differences.count(f'| {checkpoint} - untrained | ') == 4
    assert differences.count(f'| {checkpoint} - colours | ') == 4

    known = json.loads((tmp_path / 'tables' / 'one.json').read_text())
    assert known['command'][1] == str(checkpoint)
    figures = [[x[n] for n in FIGURES] for x in known['rows'][:-1]]
    np.testing.assert_allclose(figures, list(found.values()), atol=0.0051)
    for row in known['rows']:
        assert list(row['clips']) == ['world_val_1']
    first, other = known['rows'][0], known['rows'][4]
    [difference] = known['differences'][0]['clips'].values()
    assert difference == first['JF_mean'] - other['JF_mean']


@pytest.mark.slow
def test_chooses_on_other_clips_of_a_folder(command_here, tmp_path):
    export(
        'davis2017', tmp_path / 'world', num_scenes=2, num_frames=5, size=SIZE
    )
    folder = tmp_path / 'clips'
    folder.mkdir()
    for part in ('JPEGImages', 'Annotations'):
        (tmp_path / 'world/DAVIS' / part / '480p').rename(folder / part)
    (tmp_path / 'dev.txt').write_text('world_train_1\nworld_train_2\n')
    pictures = folder / 'JPEGImages' / 'world_train_1'
    words = ['--davis', 'clips', '--seeds', 1, '--dev-clips', 'dev.txt']
    done = command_here(
        'label_propagation',
        *words,
        *('--short-side', 64, '--levels', '0', '0,1', '--step', 2),
        *('--whiten', 'none', 'images', '--whiten-images', pictures),
        *('--out', 'one.md'),
    )
    assert done.returncode == 0, done.stderr
    known = json.loads((tmp_path / 'one.json').read_text())['rows']
    dev = [row for row in known if row['clips_of'] == 'dev']
    test = [row for row in known if row['clips_of'] == 'test']
    assert [len(x) for x in (dev, test)] == [4 + 2, 2 + 2 + 1 + 1]
    for name, rows in (('train', dev), ('val', test)):
        expected = [f'world_{name}_1', f'world_{name}_2']
        assert all(list(row['clips']) == expected for row in rows)
    for name in ('random, seed 0', 'colours of the cells'):
        best = max(
            (row for row in dev if row['features'] == name),
            key=lambda row: row['JF_mean'],
        )
        [chosen] = [
            row for row in test if row['features'] == name and row['chosen']
        ]
        for key in ('short_side', 'levels', 'whiten'):
            assert chosen[key] == best[key]
    done = command_here(
        'label_propagation', *words, '--clips', 'world_train_1'
    )
    assert done.returncode == 1
    assert 'world_train_1' in done.stderr.splitlines()[-1]
