"""This package's encoder in mmflow's shipped models, through the configs."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from mmengine.structures import PixelData

from mcjepa_mm.compat import mmflow_hue

CONFIGS = Path(__file__).parents[2] / 'configs/flow'
PWCNET = 'pwcnet_mcjepa-convnext-tiny_8xb1-slong_flyingchairs-384x448.py'
RAFT = 'raft_mcjepa-convnext-tiny_8xb2-100k_flyingchairs-368x496.py'
SHIPPED = {
    PWCNET: 'pwcnet/pwcnet_8xb1_slong_flyingchairs-384x448.py',
    RAFT: 'raft/raft_8xb2_100k_flyingchairs-368x496.py',
}
SIZE = (64, 128)


@pytest.fixture(autouse=True)
def mmflow_scope():
    with DefaultScope.overwrite_default_scope('mmflow'):
        yield


@pytest.fixture
def shipped(tmp_path):
    """Read mmflow's config as one that inherits it."""

    def shipped(name) -> Config:
        path = tmp_path / 'shipped.py'
        path.write_text(f"_base_ = 'mmflow::{SHIPPED[name]}'\n")
        return Config.fromfile(path)

    return shipped


def batch(size):
    """Pairs as mmflow's loader gives them, BGR, with ground truth."""
    from mmflow.structures import FlowDataSample

    generator = torch.Generator().manual_seed(0)
    data = dict(inputs=[], data_samples=[])
    for _ in range(size):
        pair = torch.randint(256, (2, 3, *SIZE), generator=generator)
        data['inputs'].append(pair.to(torch.uint8))
        sample = FlowDataSample(
            metainfo=dict(ori_shape=SIZE, img_shape=SIZE),
        )
        sample.gt_flow_fw = PixelData(data=torch.ones(2, *SIZE))
        data['data_samples'].append(sample)
    return data


@pytest.mark.parametrize(
    'name', [pytest.param(PWCNET, marks=pytest.mark.slow), RAFT]
)
def test_two_steps_and_a_prediction(name):
    from mmflow.registry import MODELS
    from mmflow.structures import FlowDataSample

    torch.manual_seed(0)
    cfg = Config.fromfile(CONFIGS / name)
    if name == RAFT:
        cfg.model.decoder.iters = 2
    model = MODELS.build(cfg.model)
    model.init_weights()
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    encoders = [model.encoder]
    if name == RAFT:
        encoders.append(model.context)
    watched = [encoder.backbone.stem[0][0].weight for encoder in encoders]
    for _ in range(2):
        before = [weight.clone() for weight in watched]
        log = model.train_step(batch(2), wrapper)
        assert log['loss'].isfinite()
        for old, new in zip(before, watched):
            assert not torch.equal(old, new)

    model.eval()
    # mmflow adds no prediction to any but the first sample of a batch.
    (sample,) = model.test_step(batch(1))
    assert isinstance(sample, FlowDataSample)
    assert sample.pred_flow_fw.data.shape == (2, *SIZE)
    assert sample.pred_flow_fw.data.isfinite().all()


@pytest.mark.parametrize('name', SHIPPED)
def test_only_what_follows_from_the_encoder_differs(name, shipped):
    ours = Config.fromfile(CONFIGS / name)
    theirs = shipped(name)
    changed = {key for key in theirs if theirs[key] != ours[key]}
    assert changed == {'model'}
    allowed = {'data_preprocessor', 'encoder', 'cxt_encoder', 'decoder'}
    assert {
        key for key in theirs.model if theirs.model[key] != ours.model[key]
    } <= allowed
    assert {
        key
        for key, value in theirs.model.decoder.items()
        if value != ours.model.decoder[key]
    } <= {'in_channels', 'post_processor', 'scaled'}


@pytest.mark.parametrize(
    'name, size', [(PWCNET, (384, 448)), (RAFT, (368, 496))]
)
def test_the_dataset_gives_samples(name, size, tmp_path):
    """The shipped pipelines, whose ColorJitter needs a patch on numpy 2."""
    from mmflow.registry import DATASETS

    mmflow_hue.apply()
    rng = np.random.default_rng(0)
    (tmp_path / 'data').mkdir()
    for i in (1, 2):
        frame = rng.integers(256, size=(384, 512, 3), dtype=np.uint8)
        cv2.imwrite(str(tmp_path / f'data/0000{i}_img1.ppm'), frame)
        cv2.imwrite(str(tmp_path / f'data/0000{i}_img2.ppm'), frame)
        with open(tmp_path / f'data/0000{i}_flow.flo', 'wb') as file:
            file.write(b'PIEH' + np.int32([512, 384]).tobytes())
            file.write(np.zeros((384, 512, 2), np.float32).tobytes())
    split = tmp_path / 'split.txt'
    split.write_text('1\n1\n')

    cfg = Config.fromfile(CONFIGS / name).train_dataloader.dataset
    cfg.update(data_root=str(tmp_path), split_file=str(split))
    dataset = DATASETS.build(cfg)
    # By chance the hue is left alone, so not one sample only.
    for i in range(6):
        sample = dataset[i % 2]
        assert sample['inputs'].shape == (2, 3, *size)
        assert sample['data_samples'].gt_flow_fw.data.isfinite().all()
