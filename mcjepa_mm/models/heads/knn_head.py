import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmengine.structures import BaseDataElement
from torch import Tensor

from mcjepa_mm.registry import MODELS

from ..knn import knn_votes


@MODELS.register_module()
class KNNHead(BaseModule):
    """Weighted kNN classifier over a bank of features.

    Head of mmpretrain's ``ImageClassifier``; its predictions are those of
    any head, for mmpretrain's metrics and inferencers. A
    :class:`~mcjepa_mm.engine.FeatureBankHook` fills the bank. See
    :func:`~mcjepa_mm.models.knn.knn_votes` for the rule.

    mmpretrain's ``ImageToImageRetriever`` has a bank as well, but a bank
    without labels, and it compares by a tensor of queries x bank x dimensions:
    126 GB for 32 pictures and ImageNet's 1.28 M of 768 dimensions.

    Args:
        num_classes (int): Number of classes.
        k (int): Number of neighbours. Defaults to 20.
        temperature (float): Softness of the votes. Defaults to 0.07.

    Raises:
        ValueError: For a number of classes or neighbours below 1.
    """

    bank: Tensor

    def __init__(
        self, num_classes: int, *, k: int = 20, temperature: float = 0.07
    ) -> None:
        super().__init__()
        if num_classes < 1 or k < 1:
            raise ValueError(
                'num_classes and k must be at least 1, got '
                f'num_classes={num_classes}, k={k}'
            )
        self.num_classes = num_classes
        self.k = k
        self.temperature = temperature
        # Not in checkpoints: the bank belongs to a data set, not to a model.
        self.register_buffer('bank', torch.empty(0, 0), persistent=False)
        self.register_buffer(
            'bank_labels', torch.empty(0, dtype=torch.long), persistent=False
        )

    def fill(self, features: Tensor, labels: Tensor) -> None:
        """Replace the bank.

        Args:
            features (Tensor): (M, D), of any length; M at least ``k``.
            labels (Tensor): (M,) class indices from 0.

        Raises:
            ValueError: If there are fewer samples than neighbours, a label is
                out of range, or a feature is not finite.
        """
        if len(features) < self.k:
            raise ValueError(
                f'a bank of {len(features)} pictures has no {self.k} '
                'neighbours; lower k or give more pictures'
            )
        if labels.min() < 0 or labels.max() >= self.num_classes:
            raise ValueError(
                f'labels must be 0 to {self.num_classes - 1}, got '
                f'{int(labels.min())} to {int(labels.max())}; num_classes '
                'must be that of the data set'
            )
        bank = F.normalize(features.float(), dim=1)
        if not bank.isfinite().all():
            raise ValueError(
                'a feature of the bank is NaN or infinite; is the checkpoint '
                'that of a training that went well?'
            )
        device = self.bank.device
        self.bank = bank.to(device)
        self.bank_labels = labels.to(device)

    def pre_logits(self, feats: tuple[Tensor, ...]) -> Tensor:
        """The embedding: the last level (N, D), as in mmpretrain's heads."""
        return feats[-1]

    def forward(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Compute each class's share of the votes.

        Args:
            feats (tuple[Tensor]): The last one, (N, D), is taken.

        Returns:
            Tensor: (N, num_classes), rows of sum 1.

        Raises:
            RuntimeError: If there is no bank.
        """
        if not len(self.bank):
            raise RuntimeError(
                'KNNHead has no bank to look for neighbours in; add '
                "dict(type='mcjepa_mm.FeatureBankHook', dataloader=...) to "
                'custom_hooks, or call fill(features, labels)'
            )
        votes = knn_votes(
            F.normalize(self.pre_logits(feats).float(), dim=1),
            self.bank,
            self.bank_labels,
            num_classes=self.num_classes,
            k=self.k,
            temperature=self.temperature,
        )
        return votes / votes.sum(dim=1, keepdim=True)

    def loss(self, feats: tuple[Tensor, ...], data_samples: list) -> dict:
        """Raise: this head has nothing to train.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError(
            'KNNHead has no weights to train; test it, or train a linear '
            'probe (configs/classification)'
        )

    def predict(
        self,
        feats: tuple[Tensor, ...],
        data_samples: list[BaseDataElement | None] | None = None,
    ) -> list[BaseDataElement]:
        """Classify, as mmpretrain's heads do.

        Args:
            feats (tuple[Tensor]): The last one, (N, D), is taken.
            data_samples (list, optional): A ``DataSample`` of mmpretrain for
                each of the N pictures.

        Returns:
            list[DataSample]: With ``pred_score`` (num_classes,) and
            ``pred_label`` (1,).
        """
        from mmpretrain.structures import DataSample

        scores = self(feats)
        samples = []
        for score, sample in zip(
            scores, data_samples or [None] * len(scores), strict=True
        ):
            sample = DataSample() if sample is None else sample
            samples.append(
                sample.set_pred_score(score).set_pred_label(
                    score.argmax(dim=0, keepdim=True)
                )
            )
        return samples
