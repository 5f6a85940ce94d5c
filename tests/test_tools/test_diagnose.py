import json

import cv2
import pytest
import torch

from mcjepa_mm.models import MCJEPAConvNeXt


@pytest.fixture
def diagnose(command_here, tmp_path):
    """Run the script in this process, from a folder with a checkpoint."""
    arch = dict(depths=(1, 1, 1, 1), channels=(4, 6, 8, 10))
    torch.manual_seed(0)
    torch.save(MCJEPAConvNeXt(arch).state_dict(), tmp_path / 'toy.pth')
    return lambda *words: command_here('diagnose', *words)


@pytest.mark.slow
def test_table_verdict_and_files(diagnose, tmp_path):
    words = ('toy.pth', '--num-images', 32, '--size', 64, '--device', 'cpu')
    done = diagnose(*words, '--untrained')
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    table = [line for line in lines if line.startswith('|')]
    assert len(table) == 2 + 6 and table[2].count('(') == 6
    assert lines[-3].startswith('built-in world, 32 pictures: ')
    assert lines[-2:] == [
        'figures: diagnosis/diagnosis.json',
        'picture: diagnosis/diagnosis.png',
    ]
    report = json.loads((tmp_path / 'diagnosis/diagnosis.json').read_text())
    (world,) = report['pictures']
    assert lines[-3].endswith(world['verdict'])
    assert report['limits']['constant'] == 0.5 and report['size'] == 64
    assert world['trained'][5]['position'] is None  # a single cell
    assert f'{world["trained"][1]["rank"]:.1f} (' in table[3]
    assert cv2.imread(str(tmp_path / 'diagnosis/diagnosis.png')) is not None
