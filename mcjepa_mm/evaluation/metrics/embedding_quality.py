"""Spread and kNN accuracy of an image embedding."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.evaluator import BaseMetric

from mcjepa_mm.evaluation.functional import (
    constant_share,
    embedding_std,
    knn_accuracy,
    rank_me,
)
from mcjepa_mm.registry import METRICS


@METRICS.register_module()
class EmbeddingQuality(BaseMetric):
    """Spread of the expander's output, and kNN accuracy of the encoder's.

    Reports ``std`` (mean per-dimension standard deviation of
    ``projection``), ``RankMe`` (effective rank of ``projection`` after
    centring), ``constant`` (share of the energy of ``embedding`` that is one
    constant vector) and, when the samples have labels, ``kNN``: leave-one-out
    weighted kNN accuracy of ``embedding`` in percent, as it is, and
    ``kNN_centred``, after the mean of all samples is taken off.

    Args:
        k (int): Number of neighbours; fewer than the samples. Defaults to
            20.
        temperature (float): Softness of the neighbours' votes. Defaults to
            0.07.
        collect_device (str): See :class:`mmengine.evaluator.BaseMetric`.
        prefix (str, optional): See :class:`mmengine.evaluator.BaseMetric`.
    """

    # the loop already prefixes the task's name
    default_prefix = ''

    def __init__(
        self,
        k: int = 20,
        temperature: float = 0.07,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.k = k
        self.temperature = temperature

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Store embedding, projection and label of every sample.

        Args:
            data_batch (Any): Not used.
            data_samples (Sequence[dict]): Samples with ``embedding`` (D,)
                and ``projection`` (P,); optional ``gt_label``, a tensor of
                one index or a ``LabelData`` with ``label``.

        Raises:
            KeyError: If a sample lacks one of the vectors.
        """
        for sample in data_samples:
            for key in ('embedding', 'projection'):
                if key not in sample:
                    raise KeyError(
                        f'EmbeddingQuality needs {key}, the sample has '
                        f'{sorted(sample)}; it evaluates the predictions of '
                        'an image task'
                    )
            result = {
                key: sample[key].detach().cpu().float()
                for key in ('embedding', 'projection')
            }
            if 'gt_label' in sample:
                label = sample['gt_label']
                if isinstance(label, dict):  # LabelData
                    label = label['label']
                result['label'] = int(label)
            self.results.append(result)

    def compute_metrics(self, results: list[dict]) -> dict:
        """Measure all embeddings together.

        Args:
            results (list[dict]): What :meth:`process` stored.

        Returns:
            dict: The figures named in the class's docstring.

        Raises:
            ValueError: If only some samples have labels, or there are not
                more samples than neighbours.
        """
        projection = torch.stack([r['projection'] for r in results])
        embedding = torch.stack([r['embedding'] for r in results])
        metrics = dict(
            std=embedding_std(projection),
            RankMe=rank_me(projection, centred=True),
            constant=constant_share(embedding),
        )
        labels = [r['label'] for r in results if 'label' in r]
        if labels and len(labels) != len(results):
            raise ValueError(
                f'{len(labels)} of {len(results)} samples have '
                'a gt_label; kNN accuracy needs all or none'
            )
        if labels:
            labels = torch.tensor(labels)
            centred = embedding - embedding.mean(dim=0)
            for name, features in (
                ('kNN', embedding),
                ('kNN_centred', centred),
            ):
                metrics[name] = 100 * knn_accuracy(
                    features, labels, k=self.k, temperature=self.temperature
                )
        return metrics
