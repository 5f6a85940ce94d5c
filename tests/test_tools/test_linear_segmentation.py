import numpy as np
import pytest
import torch
from PIL import Image

from mcjepa_mm.models.backbones import MCJEPAConvNeXt

SCRIPT = 'tools/analysis_tools/linear_segmentation.py'
ARCH = dict(depths=(1, 1, 2, 1), channels=(8, 12, 16, 20))


@pytest.fixture
def tool(run, repo, tmp_path):
    return lambda *words: run('python', repo / SCRIPT, *words, cwd=tmp_path)


@pytest.fixture
def tool_here(run_here, repo, tmp_path):
    """The same in this process."""
    return lambda *words: run_here(repo / SCRIPT, *words, cwd=tmp_path)


@pytest.mark.slow
def test_probes_checkpoints_of_another_architecture(tool, tmp_path):
    encoder = MCJEPAConvNeXt(ARCH, layer_scale_init_value=0.0)
    encoder.init_weights()
    state = {f'backbone.{k}': v for k, v in encoder.state_dict().items()}
    torch.save(dict(state_dict=state), tmp_path / 'epoch_1.pth')
    done = tool(
        'epoch_1.pth',
        '--out',
        'tables/one.md',
        '--num-scenes',
        2,
        '--cfg-options',
        'train_cfg.max_iters=1',
        'train_cfg.val_interval=1',
    )
    assert done.returncode == 0, done.stderr
    text = (tmp_path / 'tables' / 'one.md').read_text()
    assert done.stdout.endswith(f'\nmIoU in per cent\n\n{text}\n')
    head, rule, *rows = text.splitlines()
    assert head == '| encoder, frozen | seed 0 | mean | range |'
    assert len(rule.split('|')) == len(head.split('|'))
    rows = [row.strip('| ').split(' | ') for row in rows]
    names = ['pretrained', 'random', 'none: background everywhere']
    assert [row[0] for row in rows] == names
    for _, score, mean, spread in rows:
        assert 0 <= float(score) <= 100
        assert (mean, spread) == (score, '0.00')
    # by hand: the background's IoU, the others' are 0
    labels = tmp_path / 'data/embedded_voc/VOCdevkit/VOC2012'
    ids = (labels / 'ImageSets/Segmentation/val.txt').read_text().split()
    assert len(ids) == 2
    found = np.concatenate(
        [
            np.array(
                Image.open(labels / f'SegmentationClass/{name}.png')
            ).ravel()
            for name in ids
        ]
    )
    found = found[found != 255]
    score = 100 * (found == 0).mean() / len(np.unique(found))
    assert rows[2][1] == f'{score:.2f}'


def test_absent_checkpoint_is_one_line(tool, tmp_path):
    done = tool('none.pth')
    assert done.returncode == 2
    assert done.stderr == (
        "linear_segmentation.py: checkpoint: there is no file 'none.pth'\n"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_foreign_checkpoint_is_one_line(tool_here, tmp_path):
    torch.save(dict(state_dict=dict(x=torch.zeros(1))), tmp_path / 'a.pth')
    done = tool_here('a.pth')
    assert done.returncode == 1
    assert 'holds no MCJEPAConvNeXt' in done.stderr.splitlines()[-1]
    assert 'Traceback' not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ['a.pth']
