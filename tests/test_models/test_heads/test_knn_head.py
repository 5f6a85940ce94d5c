import math

import pytest
import torch
from mmpretrain.structures import DataSample

from mcjepa_mm.registry import MODELS


@pytest.fixture
def head():
    head = MODELS.build(
        dict(type='mcjepa_mm.KNNHead', num_classes=3, k=2, temperature=0.5)
    )
    # Lengths do not matter.
    head.fill(
        torch.tensor([[2.0, 0.0], [0.0, 0.5], [-3.0, 0.0]]),
        torch.tensor([2, 0, 1]),
    )
    return head


def test_predicts_by_hand(head):
    # cosines 0.8 and 0.6 with the samples of classes 2 and 0
    (sample,) = head.predict((None, torch.tensor([[4.0, 3.0]])))
    share = 1 / (1 + math.exp(-0.2 / 0.5))
    expected = [1 - share, 0.0, share]
    assert sample.pred_score.tolist() == pytest.approx(expected)
    assert sample.pred_label.tolist() == [2]


def test_keeps_the_samples_that_it_is_given(head):
    given = [DataSample().set_gt_label(1), DataSample().set_gt_label(0)]
    samples = head.predict((torch.tensor([[-1.0, 0], [0, 1]]),), given)
    assert all(a is b for a, b in zip(samples, given, strict=True))
    assert [int(x.pred_label) for x in samples] == [1, 0]
    assert [int(x.gt_label) for x in samples] == [1, 0]


def test_the_bank_is_not_in_checkpoints_and_can_be_replaced(head):
    assert head.state_dict() == {}
    head.fill(torch.eye(2), torch.tensor([1, 1]))
    assert head((torch.ones(1, 2),)).tolist() == [[0, 1, 0]]


def test_refuses(head):
    with pytest.raises(ValueError, match='bank of 1 pictures has no 2'):
        head.fill(torch.ones(1, 2), torch.tensor([0]))
    with pytest.raises(ValueError, match='labels must be 0 to 2, got 0 to 3'):
        head.fill(torch.ones(2, 2), torch.tensor([0, 3]))
    with pytest.raises(ValueError, match='NaN or infinite'):
        head.fill(torch.tensor([[1.0, math.nan]] * 2), torch.tensor([0, 1]))
    with pytest.raises(NotImplementedError, match='linear probe'):
        head.loss((torch.ones(1, 2),), [])
    empty = MODELS.build(dict(type='mcjepa_mm.KNNHead', num_classes=3))
    with pytest.raises(RuntimeError, match='FeatureBankHook'):
        empty((torch.ones(1, 2),))
    with pytest.raises(ValueError, match='k=0'):
        MODELS.build(dict(type='mcjepa_mm.KNNHead', num_classes=3, k=0))
