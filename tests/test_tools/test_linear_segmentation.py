import numpy as np
import pytest
import torch
from PIL import Image

from mcjepa_mm.models.backbones import MCJEPAConvNeXt

ARCH = dict(depths=(1, 1, 2, 1), channels=(8, 12, 16, 20))


@pytest.mark.slow
def test_probes_checkpoints_of_another_architecture(command, tmp_path):
    encoder = MCJEPAConvNeXt(ARCH, layer_scale_init_value=0.0)
    encoder.init_weights()
    state = {f'backbone.{k}': v for k, v in encoder.state_dict().items()}
    torch.save(dict(state_dict=state), tmp_path / 'epoch_1.pth')
    done = command(
        'linear_segmentation',
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
