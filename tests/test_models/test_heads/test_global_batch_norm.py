"""Batch norm in one process; test_losses_distributed has it in two."""

import torch
from torch import nn

from mcjepa_mm.models.heads.vicreg_head import GlobalBatchNorm1d


def test_one_process_has_the_bits_of_batch_norm():
    torch.manual_seed(0)
    ours, theirs = GlobalBatchNorm1d(7), nn.BatchNorm1d(7)
    nn.init.uniform_(theirs.weight)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(5, 7)
    for _ in range(2):
        inputs, outputs = [], []
        for layer in (ours, theirs):
            inputs.append(x.clone().requires_grad_())
            outputs.append(layer(inputs[-1]))
            outputs[-1].square().sum().backward()
        assert torch.equal(*outputs)
        assert torch.equal(*(y.grad for y in inputs))
        assert torch.equal(ours.weight.grad, theirs.weight.grad)
        assert torch.equal(ours.bias.grad, theirs.bias.grad)
        ours.eval(), theirs.eval()
    state = theirs.state_dict()
    assert ours.state_dict().keys() == state.keys()
    for name, value in ours.state_dict().items():
        assert torch.equal(value, state[name]), name
