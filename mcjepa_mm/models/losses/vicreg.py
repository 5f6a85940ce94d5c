"""L_vicreg: invariance, variance and covariance of two views' embeddings."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from mcjepa_mm.registry import MODELS

from ..precision import full_precision, raise_precision, without_autocast
from .distributed import gather_with_grad


def _check_samples(z: Tensor) -> None:
    if z.dim() != 2 or len(z) < 2:
        raise ValueError(
            'variance and covariance are taken over at least 2 samples '
            f'(N, D), got shape {tuple(z.shape)}: raise the batch size, and '
            'drop a last batch that is smaller with drop_last=True'
        )


@full_precision
def invariance_loss(z1: Tensor, z2: Tensor) -> Tensor:
    """Mean squared difference of two views over samples and dimensions.

    Args:
        z1 (Tensor): (N, D).
        z2 (Tensor): (N, D).

    Returns:
        Tensor: Scalar.
    """
    return F.mse_loss(z1, z2)


@full_precision
def variance_loss(
    z: Tensor, *, gamma: float = 1.0, eps: float = 1e-4
) -> Tensor:
    """Hinge on the standard deviation: mean of relu(gamma - sqrt(var + eps)).

    Args:
        z (Tensor): (N, D), N samples; the variance has 1 / (N - 1).
        gamma (float): The deviation that is enough. Defaults to 1.
        eps (float): Keeps the root's gradient finite. Defaults to 1e-4.

    Returns:
        Tensor: Scalar, the mean over D.

    Raises:
        ValueError: If there are fewer than 2 samples.
    """
    _check_samples(z)
    return _hinge(z.var(dim=0), gamma, eps)[0]


@full_precision
def covariance_loss(z: Tensor) -> Tensor:
    """Sum of the squared off-diagonal covariances, divided by D.

    Args:
        z (Tensor): (N, D), N samples; the covariance has 1 / (N - 1).

    Returns:
        Tensor: Scalar.

    Raises:
        ValueError: If there are fewer than 2 samples.
    """
    return variance_covariance(z)[1]


@full_precision
def variance_covariance(
    z: Tensor, *, gamma: float = 1.0, eps: float = 1e-4
) -> tuple[Tensor, Tensor]:
    r""":func:`variance_loss` and :func:`covariance_loss` together.

    With fewer samples than dimensions the N x N Gram matrix replaces the
    D x D covariance: :math:`\|X^T X\|_F = \|X X^T\|_F` exactly, and the
    diagonal, which the variances give, is subtracted. The gradient is written
    by hand: with the centred X, it is X times a factor per dimension plus one
    product with the matrix that is there already. It cannot be differentiated
    twice.

    Args:
        z (Tensor): (N, D), N samples.
        gamma (float): See :func:`variance`. Defaults to 1.
        eps (float): See :func:`variance`. Defaults to 1e-4.

    Returns:
        tuple[Tensor]: Two scalars.

    Raises:
        ValueError: If there are fewer than 2 samples.
    """
    _check_samples(z)
    return _VarianceCovariance.apply(z, gamma, eps)


class _VarianceCovariance(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx, z: Tensor, gamma: float, eps: float
    ) -> tuple[Tensor, Tensor]:
        n, dims = z.shape
        z = z - z.mean(dim=0)
        sum_sq = torch.linalg.vector_norm(z, dim=0).square()
        products = z @ z.T if n < dims else z.T @ z
        squares = products.square().sum() - sum_sq.square().sum()
        std_loss, deviation = _hinge(sum_sq / (n - 1), gamma, eps)
        ctx.save_for_backward(z, products, sum_sq, deviation)
        ctx.gamma = gamma
        return std_loss, squares / ((n - 1) ** 2 * dims)

    @staticmethod
    @once_differentiable
    @without_autocast
    def backward(
        ctx, grad_std_loss: Tensor, grad_covariance: Tensor
    ) -> tuple[Tensor, None, None]:
        z, products, sum_sq, deviation = ctx.saved_tensors
        n, dims = z.shape
        slope = (deviation < ctx.gamma) / (deviation * dims * (n - 1))
        factor = 4 / ((n - 1) ** 2 * dims) * grad_covariance
        # The gradient of the mean that was taken off is 0: the columns of
        # the centred z, and of its products, have no sum.
        grad = z * -(factor * sum_sq + grad_std_loss * slope)
        products = products * factor
        if n < dims:
            grad.addmm_(products, z)
        else:
            grad.addmm_(z, products)
        return grad, None, None


def _hinge(var: Tensor, gamma: float, eps: float) -> tuple[Tensor, Tensor]:
    """The mean hinge of variances (D,), and their deviations."""
    deviation = (var + eps).sqrt()
    return torch.relu(gamma - deviation).mean(), deviation


@MODELS.register_module()
class VICRegLoss(nn.Module):
    """VICReg on two views, with the official code's conventions.

    The variance terms of the two views are averaged and the covariance terms
    *summed* (other implementations differ). Variance and covariance are those
    of the global batch: the embeddings of all processes are gathered with
    their gradient. The invariance is a local mean, which DDP averages.

    VICReg, arXiv 2105.04906, as used by MC-JEPA, arXiv 2307.12698 (P).

    Args:
        invariance (float): Weight (25 T, VICReg). Defaults to 25.
        variance (float): Weight (25 T, VICReg). Defaults to 25.
        covariance (float): Weight (1 T, VICReg). Defaults to 1.
        gamma (float): Standard deviation that is enough. Defaults to 1.
        eps (float): Added to the variance under the root. Defaults to 1e-4.
    """

    def __init__(
        self,
        invariance: float = 25.0,
        variance: float = 25.0,
        covariance: float = 1.0,
        gamma: float = 1.0,
        eps: float = 1e-4,
    ) -> None:
        super().__init__()
        self.invariance = invariance
        self.variance = variance
        self.covariance = covariance
        self.gamma = gamma
        self.eps = eps

    def forward(self, z1: Tensor, z2: Tensor) -> dict[str, Tensor]:
        """The three weighted terms.

        Args:
            z1 (Tensor): (N, D), the expander's output for the first view.
            z2 (Tensor): (N, D), for the second view of the same images.

        Returns:
            dict[str, Tensor]: Scalars ``invariance``, ``variance`` and
            ``covariance``.

        Raises:
            ValueError: If the shapes differ, if the global batch holds fewer
                than 2 images, or if the processes' batches differ in size.
        """
        if z1.shape != z2.shape:
            raise ValueError(
                'VICReg compares two views of the same images, '
                f'got embeddings of shape {tuple(z1.shape)} and '
                f'{tuple(z2.shape)}'
            )
        all1, all2 = gather_with_grad(
            [raise_precision(z1), raise_precision(z2)]
        )
        (std_loss1, cov_loss1), (std_loss2, cov_loss2) = (
            variance_covariance(z, gamma=self.gamma, eps=self.eps)
            for z in (all1, all2)
        )
        return dict(
            invariance=self.invariance * invariance_loss(z1, z2),
            variance=self.variance * (std_loss1 + std_loss2) / 2,
            covariance=self.covariance * (cov_loss1 + cov_loss2),
        )
