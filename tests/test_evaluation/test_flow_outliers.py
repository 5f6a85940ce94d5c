import pytest
import torch

from mcjepa_mm.evaluation.functional import flow_outliers


@pytest.mark.parametrize(
    'error, speed, outlier',
    [
        (2.9, 0.0, False),
        (3.0, 0.0, False),  # above, not at
        (3.1, 0.0, True),
        (3.1, 61.0, True),
        (3.1, 63.0, False),  # less than 5 %
        (5.0, 100.0, False),
        (5.1, 100.0, True),
        (float('nan'), 1.0, True),
        (float('inf'), 1.0, True),
    ],
)
def test_by_hand(error, speed, outlier):
    error, speed = torch.tensor([[error], [speed]]).double()
    assert flow_outliers(error, speed).tolist() == [outlier]


def test_refuses_shapes():
    with pytest.raises(ValueError, match=r'\(2, 3\) and \(3,\)'):
        flow_outliers(torch.zeros(2, 3), torch.zeros(3))
