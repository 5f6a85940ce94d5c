"""The configs of labelled data, on exported files."""

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

import mcjepa_mm.compat.all  # noqa: F401  (as every command does)

# loader, layout, pairs or batches on the exported files
LOADERS = [
    ('flyingchairs_train_dataloader', 'flyingchairs'),
    ('flyingchairs_test_dataloader', 'flyingchairs'),
    ('sintel_train_dataloader', 'sintel'),
    ('sintel_clean_test_dataloader', 'sintel'),
    ('sintel_final_test_dataloader', 'sintel'),
    ('kitti2012_train_dataloader', 'kitti2012'),
    ('kitti2012_test_dataloader', 'kitti2012'),
    ('kitti2015_train_dataloader', 'kitti2015'),
    ('kitti2015_test_dataloader', 'kitti2015'),
]
PAIRS = dict(flyingchairs=2, sintel=6, kitti2012=2, kitti2015=2)


pytestmark = pytest.mark.usefixtures('default_scope')


def relocate(config, root):
    """Change every data_root and every crop in a config."""
    if isinstance(config, dict):
        if 'data_root' in config:
            config['data_root'] = str(root)
        if 'crop_size' in config:
            config['crop_size'] = (64, 96)
        config = config.values()
    if not isinstance(config, str) and hasattr(config, '__iter__'):
        for value in config:
            relocate(value, root)


@pytest.mark.parametrize('name, layout', LOADERS)
def test_loaders_give_batches(repo, exported, name, layout):
    path = repo / 'configs/_base_/datasets' / f'flow_{layout}.py'
    config = Config.fromfile(path)[name]
    training = 'train' in name
    assert config.batch_size == (4 if training else 1)
    config.update(batch_size=1, num_workers=0, persistent_workers=False)
    root, _ = exported(layout)
    relocate(config, root)
    loader = Runner.build_dataloader(config, seed=0)
    batches = list(loader)
    doubled = 2 if training and 'sintel' in name else 1
    expected = PAIRS[layout] * doubled
    assert len(batches) == expected
    for batch in batches:
        [inputs], [sample] = batch['inputs'], batch['data_samples']
        size = (64, 96) if training else (96, 128)
        assert inputs.shape == (2, 3, *size) and inputs.dtype == torch.uint8
        assert sample.gt_flow_fw.data.shape == (2, *size)
        assert sample.gt_flow_fw.data.dtype == torch.float32
        assert sample.gt_valid_fw.data.mean() > 0.3
        masks = {'gt_occ_fw', 'gt_fg_fw'} & set(sample.keys())
        expected = set()
        if not training and ('sintel' in name or 'kitti' in name):
            expected |= {'gt_occ_fw'}
        if not training and name.startswith('kitti2015'):
            expected |= {'gt_fg_fw'}
        assert masks == expected
