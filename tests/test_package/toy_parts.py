"""What toy_config.py is made of, registered as a user's project does."""

import torch
from mmengine.dataset import BaseDataset
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel

from mcjepa_mm.registry import DATASETS, METRICS, MODELS


@DATASETS.register_module()
class ToyNumbers(BaseDataset):
    def load_data_list(self):
        return [dict(x=float(i)) for i in range(4)]

    def prepare_data(self, index):
        return dict(inputs=torch.tensor([index, 1.0]))


@MODELS.register_module()
class ToyLine(BaseModel):
    def __init__(self, name='line'):
        super().__init__()
        self.name = name
        self.add_module(name, torch.nn.Linear(2, 1))

    def forward(self, inputs, mode='loss'):
        y = getattr(self, self.name)(inputs)
        return dict(loss=y.square().mean()) if mode == 'loss' else list(y)


@METRICS.register_module()
class ToyCount(BaseMetric):
    def process(self, data_batch, data_samples):
        self.results.extend(data_samples)

    def compute_metrics(self, results):
        return dict(count=len(results))
