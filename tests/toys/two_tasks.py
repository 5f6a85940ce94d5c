"""A small pretraining of both tasks, on noise."""

from itertools import count

import torch
from mmengine.config import Config
from torch.utils.data import Dataset

from mcjepa_mm.registry import DATASETS

NORM = dict(mean=(0.0, 0.0, 0.0), std=(255.0, 255.0, 255.0))
ENCODER = dict(
    type='MCJEPAConvNeXt',
    arch=dict(depths=(1, 1, 1, 1), channels=(8, 8, 16, 16)),
    drop_path_rate=0.4,
    layer_scale_init_value=1.0,
)
HEADS = dict(
    content=dict(
        type='VICRegHead',
        in_channels=16,
        expander_channels=(8, 8),
        loss_weight=0.5,
    ),
    motion=dict(
        type='FlowHead',
        decoder=dict(type='FlowDecoder', finest=2, radius=1, hidden=(4,)),
        losses=dict(
            rec=dict(type='PhotometricLoss'),
            reg=dict(type='FeatureRegressionLoss'),
        ),
        occlusion_weight=0.0,
    ),
)
numbers = count()  # mmengine wants a new name for each run of a process


@DATASETS.register_module()
class NoisePairs(Dataset):
    def __init__(self, length=8):
        self.length = length

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(index)
        size = (2, 3, 64, 64)
        views = torch.randint(0, 256, size, generator=generator)
        return dict(inputs=views.byte())


def noise(length=8):
    """A dataloader of batches of two."""
    return dict(
        dataset=dict(type='mcjepa_mm.NoisePairs', length=length),
        batch_size=2,
        sampler=dict(type='DefaultSampler', shuffle=True),
        collate_fn=dict(type='default_collate'),
    )


def config(work_dir, data, epochs=2, *, backbone=ENCODER, hooks=(), **hook):
    """The config of a run; ``data`` has the dataloaders of the tasks."""
    main_task = next(iter(data))
    norm = dict(type='ViewsDataPreprocessor', **NORM)
    return Config(
        dict(
            default_scope='mcjepa_mm',
            work_dir=str(work_dir),
            experiment_name=f'{work_dir.name} {next(numbers)}',
            model=dict(
                type='MultiTaskPretrainer',
                backbone=backbone,
                heads={task: HEADS[task] for task in data},
                data_preprocessor=dict(
                    type='MultiTaskDataPreprocessor',
                    tasks=dict.fromkeys(data, norm),
                ),
            ),
            train_dataloader=data,
            train_cfg=dict(type='MultiTaskTrainLoop', max_epochs=epochs),
            optim_wrapper=dict(
                optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.1)
            ),
            custom_hooks=[
                dict(type='MultiTaskHook', main_task=main_task, **hook),
                *hooks,
            ],
            randomness=dict(seed=0),
        )
    )
