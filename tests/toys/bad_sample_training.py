"""A training on frames of which some cannot be read.

As a command, `python bad_sample_training.py FOLDER ENDING`, one that ends
early: by 'limit' in a dataloader's worker, by 'error' or by 'interrupt' in
the third step.
"""

import sys
from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner

import mcjepa_mm  # noqa: F401  before mmengine asks for torchvision
from mcjepa_mm.engine.hooks.end_workers_hook import EndWorkersHook


class Mean(BaseModel):
    """Fits one number to the mean of the frames."""

    def __init__(self):
        super().__init__()
        self.mean = torch.nn.Parameter(torch.zeros(()))

    def forward(self, inputs, data_samples, mode='loss'):
        return dict(loss=(self.mean - inputs.float().mean()) ** 2)


class End(Hook):
    """Ends the training in its third step."""

    def __init__(self, error):
        self.error = error

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == 2:
            raise self.error


def write_frames(folder, count):
    """Frames of a clip."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(count):
        noise = rng.integers(0, 255, (64, 64, 3), np.uint8)
        assert cv2.imwrite(str(folder / f'{number}.png'), noise)


def write_data(root):
    """Seven pairs, one of them with a file that is no picture."""
    write_frames(root / 'good', 5)
    write_frames(root / 'bad', 4)
    (root / 'bad' / '3.png').write_bytes(b'no image')
    write_frames(root / 'single', 1)


def runner(root, max_bad=1, num_workers=2, **options):
    """A runner of two epochs that writes to ``root / 'log'``."""
    job = Runner(
        model=Mean(),
        work_dir=str(root / 'log'),
        train_dataloader=dict(
            batch_size=2,
            num_workers=num_workers,
            persistent_workers=num_workers > 0,
            collate_fn=dict(type='default_collate'),
            sampler=dict(type='DefaultSampler', shuffle=True),
            dataset=dict(
                type='mcjepa_mm.BadSampleGuard',
                max_bad=max_bad,
                dataset=dict(
                    type='mcjepa_mm.FramePairs',
                    data_root=str(root),
                    pipeline=[dict(type='mcjepa_mm.PackViews')],
                ),
            ),
        ),
        train_cfg=dict(by_epoch=True, max_epochs=2),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=1e-9)),
        default_hooks=dict(
            checkpoint=None,
            logger=dict(type='LoggerHook', interval=2),
            bad_samples=dict(type='mcjepa_mm.BadSampleHook', interval=2),
        ),
        experiment_name=f'bad_samples_{root.name}',
        **options,
    )
    job.register_hook(EndWorkersHook())
    return job


if __name__ == '__main__':
    root, ending = Path(sys.argv[1]), sys.argv[2]
    errors = dict(error=ValueError('a bug'), interrupt=KeyboardInterrupt())
    hooks = [End(errors[ending])] if ending in errors else []
    limit = 0 if ending == 'limit' else 1
    job = runner(root, limit, 2 * (ending == 'limit'), custom_hooks=hooks)
    if ending != 'limit':
        data = job.train_dataloader.dataset
        for index in range(len(data)):
            data[index]  # whatever is the order, the bad file has been met
    job.train()
