"""Batch norm over the batches of all processes, on any device."""

import torch
from mmengine.dist import get_world_size
from torch import Tensor, nn

from ..losses.gather import gather_packed
from ..losses.precision import raise_precision


class GlobalBatchNorm1d(nn.BatchNorm1d):
    """``nn.BatchNorm1d`` whose batch is that of all processes together.

    torch's SyncBatchNorm takes tensors of a GPU only. Statistics are in
    float32 at least, their gradient goes back to every process, and the
    running ones are the same everywhere. In a single process, and in
    evaluation, it is ``nn.BatchNorm1d``; so are its weights.

    Each process brings the mean and the variance of its own samples and
    their number in one collective. They are joined by the law of total
    variance: a sum of squares would cancel.

    Args:
        num_features (int): Number of channels C.

    Shape:
        Input and output: (N, C), N may be 1 if there are more processes.
    """

    def __init__(self, num_features: int) -> None:
        super().__init__(num_features)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or get_world_size() == 1:
            return super().forward(x)
        if x.dim() != 2 or x.shape[1] != self.num_features:
            raise ValueError(
                f'batch norm over all processes takes (N, '
                f'{self.num_features}), got {tuple(x.shape)}'
            )
        z = raise_precision(x)
        own_var, own_mean = torch.var_mean(z, dim=0, correction=0)
        count = own_mean.new_full((1,), len(z))
        all_means, all_vars, counts = gather_packed([own_mean, own_var, count])
        total = counts.sum()
        share = counts / total
        mean = (share * all_means).sum(0)
        var = (share * (all_vars + (all_means - mean) ** 2)).sum(0)
        self._track(mean.detach(), (var * total / (total - 1)).detach())
        scale = self.weight * (var + self.eps).rsqrt()
        return ((z - mean) * scale + self.bias).to(x.dtype)

    def _track(self, mean: Tensor, var: Tensor) -> None:
        self.num_batches_tracked.add_(1)
        for running, value in (
            (self.running_mean, mean),
            (self.running_var, var),
        ):
            running.lerp_(value.to(running.dtype), self.momentum)
