import cv2
import numpy as np
import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner


class Mean(BaseModel):
    """Fits one number to the mean of the frames."""

    def __init__(self):
        super().__init__()
        self.mean = torch.nn.Parameter(torch.zeros(()))

    def forward(self, inputs, data_samples, mode='loss'):
        return dict(loss=(self.mean - inputs.float().mean()) ** 2)


def frames(folder, count):
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(count):
        noise = rng.integers(0, 255, (64, 64, 3), np.uint8)
        cv2.imwrite(str(folder / f'{number}.png'), noise)


def test_bad_files_are_named_in_the_log_after_training(tmp_path):
    frames(tmp_path / 'good', 5)
    frames(tmp_path / 'bad', 4)
    (tmp_path / 'bad' / '3.png').write_bytes(b'no image')
    frames(tmp_path / 'single', 1)
    runner = Runner(
        model=Mean(),
        work_dir=str(tmp_path / 'log'),
        train_dataloader=dict(
            batch_size=2,
            num_workers=2,
            persistent_workers=True,
            collate_fn=dict(type='default_collate'),
            sampler=dict(type='DefaultSampler', shuffle=True),
            dataset=dict(
                type='mcjepa_mm.BadSampleGuard',
                max_bad=1,
                dataset=dict(
                    type='mcjepa_mm.FramePairs',
                    data_root=str(tmp_path),
                    pipeline=[dict(type='mcjepa_mm.PackViews')],
                ),
            ),
        ),
        train_cfg=dict(by_epoch=True, max_epochs=2),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=1e-9)),
        custom_hooks=[dict(type='mcjepa_mm.BadSampleHook')],
        default_hooks=dict(checkpoint=None),
        experiment_name='bad_sample_hook',
    )
    runner.train()
    log = next((tmp_path / 'log').rglob('*.log')).read_text()
    summary = [line for line in log.splitlines() if 'were bad' in line]
    assert len(summary) == 1
    assert '1 of 7 samples were bad and replaced' in summary[0]
    assert f'{tmp_path}/bad/3.png' in summary[0]
    # Never part of a pair, and said so.
    assert f'{tmp_path}/single' in summary[0]
