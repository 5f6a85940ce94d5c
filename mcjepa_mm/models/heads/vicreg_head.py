import itertools
from collections.abc import Callable, Sequence

import torch
from mmengine.dist import get_world_size
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from mcjepa_mm.registry import MODELS

from ..losses.distributed import gather_packed
from ..precision import raise_precision
from .base_pretext_head import BasePretextHead, EncoderInfo, fill_in


class GlobalBatchNorm1d(nn.BatchNorm1d):
    """``nn.BatchNorm1d`` with statistics over all processes.

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


EXPANDER_NORMS = {'BN': GlobalBatchNorm1d, 'LN': nn.LayerNorm}


def build_expander(channels: Sequence[int], norm: str) -> nn.Sequential:
    """VICReg's expander: (Linear, norm, ReLU) repeated, then a Linear.

    Args:
        channels (Sequence[int]): Width of the input and of every layer.
        norm (str): 'BN' (VICReg), over the batch of all processes together,
            or 'LN' (VICRegL's ConvNeXt recipe).

    Returns:
        nn.Sequential: (N, channels[0]) to (N, channels[-1]).
    """
    if norm not in EXPANDER_NORMS:
        raise ValueError(
            f'The norm of an expander must be one of '
            f'{sorted(EXPANDER_NORMS)}, got {norm!r}.'
        )
    layers = []
    for before, after in itertools.pairwise(channels[:-1]):
        layers += [
            nn.Linear(before, after),
            EXPANDER_NORMS[norm](after),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(
        *layers, nn.Linear(channels[-2], channels[-1], bias=False)
    )


@MODELS.register_module()
class VICRegHead(BasePretextHead):
    """Content task: VICReg on two views of an image.

    The coarsest map is averaged over its positions, expanded, and compared
    by VICReg's loss (arXiv 2105.04906; paper section 3, P).

    Args:
        in_channels (int): Channels of the coarsest level; a pretrainer
            takes them from the encoder.
        expander_channels (Sequence[int]): Widths of the expander's layers.
            Defaults to (8192, 8192, 8192) (P).
        norm (str): Norm of the expander, see :func:`build_expander`, 'BN' or
            'LN'. Defaults to 'BN'.
        vicreg (dict, optional): Config of the loss; ``VICRegLoss`` with the
            official weights by default.
        loss_weight (float): Weight of the task. Defaults to 1.
        init_cfg (dict, optional): mmengine's initialisation.

    Raises:
        ValueError: If there are not two views, or the batch of all processes
            together holds one image: variance needs at least two.
    """

    def __init__(
        self,
        in_channels: int,
        expander_channels: Sequence[int] = (8192, 8192, 8192),
        *,
        norm: str = 'BN',
        vicreg: dict | None = None,
        loss_weight: float = 1.0,
        init_cfg: dict | list | None = None,
    ) -> None:
        super().__init__(
            num_views=2, loss_weight=loss_weight, init_cfg=init_cfg
        )
        self.expander = build_expander((in_channels, *expander_channels), norm)
        self.vicreg = MODELS.build(vicreg or dict(type='mcjepa_mm.VICRegLoss'))

    @classmethod
    def complete(cls, cfg: dict, encoder: EncoderInfo) -> dict:
        channels = encoder.channels
        return fill_in(cfg, in_channels=channels and channels[-1])

    def loss(
        self,
        feats: tuple[Tensor, ...],
        inputs: Tensor,
        encode: Callable | None = None,
    ) -> dict[str, Tensor]:
        self.check_views(inputs)
        if len(inputs) == get_world_size() == 1 and any(
            isinstance(m, GlobalBatchNorm1d) for m in self.expander
        ):
            raise ValueError(
                'VICReg got a batch of 1 image: batch norm and the variance '
                'term need at least 2. Raise the `batch_size` of the '
                'content dataloader, or set its `drop_last=True` if only '
                'the last batch is that small.'
            )
        embeddings = self.embed(feats).unflatten(0, inputs.shape[:2])
        # One call a view: the batch norm of the official code sees one view
        # at a time, and the two are augmented by different rules.
        first, second = (self.expander(x) for x in embeddings.unbind(1))
        return self.vicreg(first, second)

    def predict(
        self,
        feats: tuple[Tensor, ...],
        inputs: Tensor,
        data_samples: list[BaseDataElement],
    ) -> list[BaseDataElement]:
        """Add ``embedding`` (C,) and ``projection`` (D,) of the first view.

        The embedding is the encoder's, the projection the expander's.
        """
        embeddings = self.embed(feats).unflatten(0, inputs.shape[:2])[:, 0]
        projections = self.expander(embeddings)
        for sample, embedding, projection in zip(
            data_samples, embeddings, projections, strict=True
        ):
            sample.set_field(embedding, 'embedding')
            sample.set_field(projection, 'projection')
        return data_samples

    @staticmethod
    def embed(feats: tuple[Tensor, ...]) -> Tensor:
        """Spatial mean of the coarsest map, (N * V, C)."""
        return feats[-1].mean(dim=(2, 3))
