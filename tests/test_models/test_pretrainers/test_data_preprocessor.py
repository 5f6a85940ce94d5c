"""Normalisation and the forms that a batch may have."""

import pytest
import torch
from mmengine.structures import BaseDataElement

from mcjepa_mm.models.pretrainers import (
    MultiTaskDataPreprocessor,
    ViewsDataPreprocessor,
)

NORM = dict(mean=(100.0, 110.0, 120.0), std=(50.0, 55.0, 60.0))


def test_normalises_by_hand():
    views = torch.zeros(1, 2, 3, 2, 2, dtype=torch.uint8)
    views[0, 1] = 200
    out = ViewsDataPreprocessor(**NORM)(dict(inputs=views))['inputs']
    assert out.dtype == torch.float32 and out.shape == (1, 2, 3, 2, 2)
    for channel, (low, high) in enumerate(
        [(-100 / 50, 100 / 50), (-110 / 55, 90 / 55), (-120 / 60, 80 / 60)]
    ):
        assert torch.allclose(out[0, 0, channel], torch.tensor(low))
        assert torch.allclose(out[0, 1, channel], torch.tensor(high))


def test_forms_of_a_batch():
    pair = torch.randint(0, 255, (2, 2, 3, 4, 4), dtype=torch.uint8)
    preprocess = ViewsDataPreprocessor(**NORM)
    stacked = preprocess(dict(inputs=pair))['inputs']
    listed = preprocess(dict(inputs=list(pair)))['inputs']
    assert torch.equal(stacked, listed)
    single = preprocess(dict(inputs=pair[:, 0]))['inputs']
    assert torch.equal(single, stacked[:, :1])


def test_views_of_different_size_are_named():
    views = [torch.zeros(2, 3, 4, 4), torch.zeros(2, 3, 4, 6)]
    with pytest.raises(ValueError, match=r'\(2, 3, 4, 4\), \(2, 3, 4, 6\)'):
        ViewsDataPreprocessor(**NORM)(dict(inputs=views))


def test_a_list_of_views_is_not_taken_for_samples():
    """mmpretrain's PackInputs gives V batches, not N samples."""
    data = dict(
        inputs=[torch.zeros(5, 3, 4, 4)] * 2,
        data_samples=[BaseDataElement() for _ in range(5)],
    )
    with pytest.raises(ValueError, match='PackViews'):
        ViewsDataPreprocessor(**NORM)(data)


def test_each_task_has_its_own_rule():
    preprocess = MultiTaskDataPreprocessor(
        dict(
            content=dict(type='mcjepa_mm.ViewsDataPreprocessor', **NORM),
            motion=dict(
                type='mcjepa_mm.ViewsDataPreprocessor',
                mean=(0.0, 0.0, 0.0),
                std=(1.0, 1.0, 1.0),
            ),
        )
    )
    views = torch.full((2, 2, 3, 4, 4), 7, dtype=torch.uint8)
    samples = [BaseDataElement(), BaseDataElement()]
    out = preprocess(
        dict(
            motion=dict(inputs=views, data_samples=samples),
            content=dict(inputs=views),
        )
    )
    assert (out['inputs']['motion'] == 7).all()
    assert torch.allclose(
        out['inputs']['content'][0, 0, 0], torch.tensor((7 - 100) / 50)
    )
    assert out['data_samples']['content'] is None
    assert len(out['data_samples']['motion']) == 2
    with pytest.raises(KeyError, match='depth'):
        preprocess(dict(depth=dict(inputs=views)))
