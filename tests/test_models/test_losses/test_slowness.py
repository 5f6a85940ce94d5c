import torch

from mcjepa_mm.models.losses import SlownessLoss


def test_mean_component_in_shares_of_the_shorter_side():
    fine = torch.tensor([3.0, -1.0])[None, :, None, None].expand(1, 2, 8, 10)
    coarse = torch.tensor([0.0, 2.0])[None, :, None, None].expand(1, 2, 4, 5)
    # means 2 and 1, shorter sides 8 and 4
    assert SlownessLoss(loss_weight=2.0)([fine, coarse]) == 1.0
