"""Measures of the collapse of an embedding."""

import torch
from torch import Tensor


def _check_embedding(z: Tensor) -> None:
    if z.ndim != 2 or z.shape[0] < 2:
        raise ValueError(
            'expected embeddings (N, D) of at least 2 samples, '
            f'got {tuple(z.shape)}'
        )


def embedding_std(z: Tensor) -> float:
    """Mean over the dimensions of the standard deviation over the samples.

    What VICReg's variance term holds above 1 (arXiv 2105.04906); 0 when
    every sample has the same embedding. The variance is unbiased.

    Args:
        z (Tensor): (N, D).

    Returns:
        float: In the embedding's own unit.

    Raises:
        ValueError: If ``z`` is not (N, D) with N >= 2.
    """
    _check_embedding(z)
    return z.double().std(dim=0).mean().item()


def constant_share(z: Tensor) -> float:
    """Share of the energy that is one constant vector.

    ``||mean||^2 / mean ||z||^2``: 0 when the embeddings are centred, 1 when
    all are the same. N independent samples without a constant give about
    ``1 / N`` by chance.

    Args:
        z (Tensor): (N, D).

    Returns:
        float: 0 to 1; 1 if all embeddings are 0.

    Raises:
        ValueError: If ``z`` is not (N, D) with N >= 2.
    """
    _check_embedding(z)
    z = z.double()
    energy = z.square().sum(dim=1).mean()
    if energy == 0:
        return 1.0
    return (z.mean(dim=0).square().sum() / energy).clamp(max=1).item()


def rank_me(z: Tensor, eps: float = 1e-7, *, centred: bool = False) -> float:
    """Effective rank of an embedding matrix: RankMe (Garrido et al. 2023).

    ``exp(-sum_k p_k log p_k)`` with ``p_k = s_k / sum(s) + eps``, s being
    the singular values: 1 when all embeddings lie on one line through the
    origin, min(N, D) when they fill all directions alike. Not centred, as
    in the paper, a constant that all embeddings share counts as a direction,
    and where it is large as the only one.

    Args:
        z (Tensor): (N, D).
        eps (float): Keeps the logarithm finite.
        centred (bool): Whether to take the mean off first; the most is then
            min(N - 1, D). Defaults to False, the paper's form.

    Returns:
        float: About 1 to min(N, D).

    Raises:
        ValueError: If ``z`` is not (N, D) with N >= 2.
    """
    _check_embedding(z)
    z = z.double()
    if centred:
        size = z.norm()
        z = z - z.mean(dim=0)
        # what rounding leaves of a constant has no direction
        if z.norm() <= 1e-12 * size:
            return 1.0
    return effective_rank(torch.linalg.svdvals(z), eps)


def effective_rank(singular: Tensor, eps: float = 1e-7) -> float:
    """RankMe of a matrix with these singular values, see :func:`rank_me`.

    Args:
        singular (Tensor): (K,), none negative.
        eps (float): Keeps the logarithm finite.

    Returns:
        float: About 1 to K.
    """
    # an all-zero matrix: rank 1 by convention rather than 0 / 0
    total = singular.sum()
    if total == 0:
        return 1.0
    p = singular / total + eps
    return (-(p * p.log()).sum()).exp().item()


def rms_correlation(z: Tensor) -> float:
    """Root mean square of the correlations between different dimensions.

    What VICReg's covariance term holds down, free of the embedding's scale:
    0 when the dimensions are uncorrelated, 1 when all say the same. N
    independent samples give about ``1 / sqrt(N - 1)`` by chance. Dimensions
    that do not vary are left out; fewer than two that vary count as 1.

    The N x N Gram matrix of the standardised dimensions has the same sum of
    squares as their D x D correlations, and is smaller for wide embeddings.

    Args:
        z (Tensor): (N, D).

    Returns:
        float: 0 to 1.

    Raises:
        ValueError: If ``z`` is not (N, D) with N >= 2.
    """
    _check_embedding(z)
    z = z.double() - z.double().mean(dim=0)
    norm = z.norm(dim=0)
    z = (z / norm)[:, norm > 0]
    dims = z.shape[1]
    if dims < 2:
        return 1.0
    gram = z @ z.T if len(z) < dims else z.T @ z
    off_diagonal = (gram.square().sum() - dims).clamp(min=0)
    return (off_diagonal / (dims * (dims - 1))).sqrt().item()
