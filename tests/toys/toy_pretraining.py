"""The smallest real pretrainer and data sets that fit the interfaces.

pytest has this folder on its path; configs reach it by custom_imports.
"""

import numpy as np
import torch
from mmengine.model import BaseDataPreprocessor, BaseModel, BaseModule
from mmengine.structures import BaseDataElement, PixelData
from torch import nn
from torch.utils.data import Dataset

from mcjepa_mm.registry import DATASETS, MODELS


@MODELS.register_module()
class ToyPreprocessor(BaseDataPreprocessor):
    def forward(self, data: dict, training: bool = False) -> dict:
        if 'inputs' in data:
            data = dict(motion=data)
        data = self.cast_data(data)
        return dict(
            inputs={
                task: torch.stack(batch['inputs']).float() / 255
                for task, batch in data.items()
            },
            data_samples={
                task: batch['data_samples'] for task, batch in data.items()
            },
        )


class ToyBackbone(BaseModule):
    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.ModuleList(
            [
                nn.Conv2d(3, 8, 3, 2, 1),
                nn.Conv2d(8, 8, 3, 2, 1),
                nn.Conv2d(8, 16, 3, 2, 1),
            ]
        )
        self.dropout = nn.Dropout(0.2)
        self.norm = nn.BatchNorm2d(8)

    def forward(self, x: torch.Tensor) -> tuple:
        feats = []
        for stage in self.stages:
            x = self.dropout(stage(x).relu())
            feats.append(x)
        return (self.norm(feats[0]), *feats[1:])


@MODELS.register_module()
class ToyPretrainer(BaseModel):
    """Learns the mean flow of the pairs; images pass through the encoder."""

    def __init__(self) -> None:
        super().__init__(
            data_preprocessor=dict(type='mcjepa_mm.ToyPreprocessor')
        )
        self.backbone = ToyBackbone()
        self.heads = nn.ModuleDict(
            dict(motion=nn.Conv2d(16, 2, 1), content=nn.Linear(16, 12))
        )

    def forward(self, inputs: dict, data_samples: dict, mode: str = 'tensor'):
        ((task, views),) = inputs.items()
        feats = self.backbone(views.flatten(0, 1))
        deep = feats[-1].unflatten(0, views.shape[:2])[:, 0]
        samples = data_samples[task]
        if task == 'content':
            for sample, vector in zip(samples, deep.mean(dim=(2, 3))):
                sample.embedding = vector
                sample.projection = self.heads[task](vector)
            return samples
        flow = nn.functional.interpolate(
            self.heads[task](deep), views.shape[-2:], mode='bilinear'
        )
        if mode == 'loss':
            truth = torch.stack([x.gt_flow_fw.data for x in samples])
            return dict(loss=(flow - truth).abs().mean())
        for sample, vector in zip(samples, flow):
            sample.pred_flow_fw = PixelData(data=vector)
            sample.pred_flow_bw = PixelData(data=-vector)
            sample.pred_occ_fw = PixelData(data=(vector[:1] > 0).float())
        return samples


@DATASETS.register_module()
class ToyPairs(Dataset):
    """Pairs that move by (4, -3) px; half of the pixels are occluded.

    ``restless`` draws from every global random state, as augmentations do.
    """

    metainfo = dict(dataset_type='toy pairs')

    def __init__(
        self,
        length: int = 3,
        truth: bool = True,
        restless: bool = False,
        size: tuple = (32, 48),
    ) -> None:
        self.length, self.truth, self.restless = length, truth, restless
        self.size = size

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict:
        height, width = self.size
        rng = np.random.default_rng(index)
        first = rng.integers(0, 256, (3, height, width), dtype=np.uint8)
        second = np.roll(first, (-3, 4), axis=(1, 2))
        if self.restless:
            np.random.rand()
            torch.rand(1)
        sample = BaseDataElement()
        if self.truth:
            flow = torch.tensor([4.0, -3.0])[:, None, None]
            sample.gt_flow_fw = PixelData(
                data=flow.expand(2, height, width).clone()
            )
            occluded = torch.zeros(1, height, width)
            occluded[..., width // 2 :] = 1
            sample.gt_occ_fw = PixelData(data=occluded)
        return dict(
            inputs=torch.from_numpy(np.stack([first, second])),
            data_samples=sample,
        )


@DATASETS.register_module()
class ToyImages(Dataset):
    """Two views of bright and of dark noise: two classes."""

    def __init__(self, length: int = 6) -> None:
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict:
        rng = np.random.default_rng(index)
        label = index % 2
        views = rng.integers(0, 100, (2, 3, 32, 32)) + 120 * label
        sample = BaseDataElement(gt_label=torch.tensor([label]))
        return dict(
            inputs=torch.from_numpy(views.astype(np.uint8)),
            data_samples=sample,
        )


def loader(dataset: str, batch_size: int = 2, **kwargs) -> dict:
    """Return a data loader's config."""
    return dict(
        batch_size=batch_size,
        num_workers=0,
        dataset=dict(type=dataset, **kwargs),
        sampler=dict(type='DefaultSampler', shuffle=False),
    )


def evaluation(mode: str) -> dict:
    """Return the ``val_*`` or ``test_*`` part of a config for both tasks."""
    return {
        f'{mode}_dataloader': dict(
            motion=loader('ToyPairs'), content=loader('ToyImages', 4)
        ),
        f'{mode}_evaluator': dict(
            motion=dict(type='FlowEPE'),
            content=[dict(type='EmbeddingQuality', k=2)],
        ),
        f'{mode}_cfg': dict(type=f'MultiTask{mode.title()}Loop'),
    }


def training(work_dir: object, **kwargs) -> dict:
    """Return a runner's config that trains the toy for two epochs."""
    return dict(
        model=dict(type='ToyPretrainer'),
        work_dir=str(work_dir),
        train_dataloader=loader('ToyPairs', length=4),
        train_cfg=dict(by_epoch=True, max_epochs=2),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        randomness=dict(seed=3),
        default_scope='mcjepa_mm',
        experiment_name=f'{work_dir}'.replace('/', '_'),
        **kwargs,
    )
