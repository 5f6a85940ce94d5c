"""The trainings that test_many_processes compares.

    python many_processes_worker.py FOLDER

One, two and four processes train a small MC-JEPA with every loss term. Each
writes its losses, the gradients of each optimiser step and the weights to
``FOLDER/PROCESSES_STRATEGY_RANK.pt``.
"""

import os
import sys
from datetime import timedelta
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import distributed as dist
from torch.multiprocessing import start_processes
from torch.utils.data import Dataset

from mcjepa_mm.registry import DATASETS, HOOKS

# Steps of a batch over all processes; flow joins between two of them that
# one step of the optimiser accumulates.
STEPS, BATCH, ACCUMULATED, BEGIN = 6, 4, 2, 3
SIZE = 64
NORM = dict(mean=(120.0, 115.0, 105.0), std=(60.0, 57.0, 58.0))
CHANNELS = (4, 4, 8, 8, 10, 12)


@DATASETS.register_module()
class Waves(Dataset):
    """Views of a wave that moves, with noise: a function of the index."""

    def __init__(self, views):
        self.views = views

    def __len__(self):
        return BATCH * STEPS

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(index)
        shape = (self.views, 3, SIZE, SIZE)
        noise = 40 * torch.rand(shape, generator=generator)
        a, b, c = torch.rand(3, 3, 1, 1, generator=generator)
        x = torch.arange(SIZE)
        time = torch.arange(self.views).view(-1, 1, 1, 1)
        wave = torch.sin(0.4 * a * x + 0.4 * b * x[:, None] + 2 * c * time)
        return dict(inputs=(120 + 80 * wave + noise).to(torch.uint8))


@HOOKS.register_module()
class Recorder(Hook):
    """Write down what a training does.

    Each process gets random states of its own, as in a run that is to be
    resumed.
    """

    def __init__(self, rank, path):
        self.rank, self.path = rank, path
        self.losses, self.grads = [], []

    def before_train(self, runner):
        model = getattr(runner.model, 'module', runner.model)
        step = runner.optim_wrapper.step

        def recorded(**kwargs):
            self.grads.append(
                {
                    name: weight.grad.clone()
                    for name, weight in model.named_parameters()
                    if weight.grad is not None
                }
            )
            step(**kwargs)

        runner.optim_wrapper.step = recorded

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        torch.manual_seed(1000 * self.rank + runner.iter)

    def after_train_iter(self, runner, batch_idx, data_batch, outputs):
        self.losses.append({k: v.detach().clone() for k, v in outputs.items()})

    def after_train(self, runner):
        model = getattr(runner.model, 'module', runner.model)
        torch.save(
            dict(
                losses=self.losses,
                grads=self.grads,
                weights=model.state_dict(),
            ),
            self.path,
        )


def task(views, processes):
    return dict(
        dataset=dict(type='mcjepa_mm.Waves', views=views),
        batch_size=BATCH // processes,
        sampler=dict(type='DefaultSampler', shuffle=True),
        collate_fn=dict(type='default_collate'),
    )


def config(rank, folder, processes, strategy):
    level = dict(variance=(1.0,) * 6, covariance=(1.0,) * 6)
    name = f'{processes}_{strategy}_{rank}'
    return Config(
        dict(
            default_scope='mcjepa_mm',
            experiment_name=name,
            work_dir=str(folder / name),
            log_level='ERROR',
            model=dict(
                type='MultiTaskPretrainer',
                backbone=dict(
                    type='MCJEPAConvNeXt',
                    arch=dict(depths=(1, 1, 1, 1), channels=CHANNELS[2:]),
                    layer_scale_init_value=0.0,
                ),
                heads=dict(
                    content=dict(
                        type='VICRegHead',
                        expander_channels=(16, 16, 8),
                    ),
                    motion=dict(
                        type='FlowHead',
                        decoder=dict(
                            type='FlowDecoder',
                            radius=1,
                            hidden=(6,),
                            # so large that some pixels leave the frame
                            unit=1000.0,
                        ),
                        losses=dict(
                            rec=dict(type='PhotometricLoss', census=0.5),
                            reg=dict(type='FeatureRegressionLoss'),
                            smooth=dict(type='SmoothnessLoss'),
                            cycle=dict(type='CycleLoss'),
                            vc=dict(
                                type='FeatureVCLoss', max_samples=130, **level
                            ),
                            student=dict(type='SelfSupervisionLoss', border=4),
                        ),
                        occlusion='range_map',
                        occlusion_weight=0.7,
                    ),
                ),
                data_preprocessor=dict(
                    type='MultiTaskDataPreprocessor',
                    tasks={
                        name: dict(type='ViewsDataPreprocessor', **NORM)
                        for name in ('content', 'motion')
                    },
                ),
            ),
            train_dataloader=dict(
                content=task(2, processes), motion=task(2, processes)
            ),
            train_cfg=dict(type='MultiTaskTrainLoop', max_epochs=1),
            optim_wrapper=dict(
                type='OptimWrapper',
                accumulative_counts=ACCUMULATED,
                # AdamW's first step divides by the gradient: of a rounding
                # error of 1e-14 it makes one of 1e-8 in the next gradient.
                optimizer=dict(type='SGD', lr=1e-3, momentum=0.9),
                clip_grad=dict(max_norm=1.0),
            ),
            custom_hooks=[
                dict(
                    type='MultiTaskHook',
                    main_task='content',
                    begin=dict(motion=BEGIN),
                    by_epoch=False,
                    strategy=strategy,
                ),
                dict(
                    type='Recorder',
                    rank=rank,
                    path=str(folder / f'{name}.pt'),
                ),
            ],
            default_hooks=dict(checkpoint=None, logger=None),
            randomness=dict(seed=0),
        )
    )


def train(rank, folder, processes):
    torch.set_default_dtype(torch.float64)
    if processes > 1:
        dist.init_process_group(
            'gloo',
            init_method=f'file://{folder}/rendezvous_{processes}',
            rank=rank,
            world_size=processes,
            timeout=timedelta(seconds=300),
        )
        os.environ['LOCAL_RANK'] = str(rank)
    for strategy in ('combined', 'alternate_batches'):
        cfg = config(rank, folder, processes, strategy)
        if processes > 1:
            cfg.launcher = 'pytorch'
            cfg.model_wrapper_cfg = dict(
                type='MMDistributedDataParallel',
                device_ids=None,
                broadcast_buffers=False,
                find_unused_parameters=True,
            )
        Runner.from_cfg(cfg).train()


if __name__ == '__main__':
    torch.set_num_threads(1)
    for processes in (1, 2, 4):
        # Forked: to import all this in each of them takes longer than to
        # train.
        start_processes(
            train,
            args=(Path(sys.argv[1]), processes),
            nprocs=processes,
            start_method='fork',
        )
