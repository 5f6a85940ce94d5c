"""Samples with flow, as a model leaves them for the metrics."""

import numpy as np
import pytest
import torch
from mmengine.structures import BaseDataElement, PixelData


@pytest.fixture
def make_sample():
    """Function of fields, arrays (C, H, W), and ``meta``, a dict."""

    def make(meta=None, **fields) -> BaseDataElement:
        sample = BaseDataElement(metainfo=meta or {})
        for name, data in fields.items():
            data = torch.tensor(np.asarray(data)).float()
            setattr(sample, name, PixelData(data=data))
        return sample

    return make


@pytest.fixture
def random_sample(make_sample):
    """Function of a seed: a sample with flow from 0 to some 80 pixels."""

    def make(seed, size=(6, 9), occlusion=True, foreground=True):
        rng = np.random.default_rng(seed)
        speed = rng.uniform(0, 80, (1, *size))
        angle = rng.uniform(0, 7, (1, *size))
        gt = speed * np.concatenate([np.cos(angle), np.sin(angle)])
        noise = rng.normal(size=gt.shape) * rng.uniform(0, 6, (1, *size))
        fields = dict(
            gt_flow_fw=gt,
            pred_flow_fw=gt + noise,
            gt_valid_fw=rng.random((1, *size)) < 0.8,
        )
        if occlusion:
            fields['gt_occ_fw'] = rng.random((1, *size)) < 0.3
        if foreground:
            fields['gt_fg_fw'] = rng.random((1, *size)) < 0.4
        return make_sample(**fields)

    return make
