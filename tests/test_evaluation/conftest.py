"""Samples as a model leaves them for the metrics."""

import logging

import numpy as np
import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.structures import BaseDataElement, PixelData


@pytest.fixture
def logged():
    """The texts that the current logger gets."""
    texts = []
    handler = logging.Handler()
    handler.emit = lambda record: texts.append(record.getMessage())
    # it may be of a run before, which was quieter
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    yield texts
    logger.removeHandler(handler)
    logger.setLevel(level)


def video_frames(name, gt, pred) -> list[BaseDataElement]:
    """The frames of a video with its masks, each (T, H, W) object numbers."""
    frames = []
    for index in range(len(gt)):
        meta = dict(
            sequence=name,
            frame_index=index,
            num_frames=len(gt),
            frame_name=f'{index:05}',
            ori_shape=gt.shape[1:],
            img_path=f'{name}/{index:05}.jpg',
        )
        sample = BaseDataElement(metainfo=meta)
        for key, objects in (('gt_objects', gt), ('pred_objects', pred)):
            data = torch.as_tensor(objects[index][None].astype(np.uint8))
            setattr(sample, key, PixelData(data=data))
        frames.append(sample)
    return frames


@pytest.fixture(name='video_frames')
def make_video_frames():
    return video_frames


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
