"""A project of mmengine's that knows this package by its config, if at all.

    python mmengine_project.py FOLDER MODULE RUN [RUN ...]

MODULE is what the config's custom_imports name, or 'none'. A RUN is a number
of epochs; with '+' it resumes the newest checkpoint, with '+FILE' this one.
The last line that is printed tells what came of it, as JSON.
"""

import json
import sys
from pathlib import Path

sys.modules['torchvision'] = None  # another break, not needed here
import numpy as np  # noqa: E402
import torch  # noqa: E402
from mmengine.config import Config  # noqa: E402
from mmengine.dataset import BaseDataset  # noqa: E402
from mmengine.model import BaseModel  # noqa: E402
from mmengine.registry import DATASETS, MODELS  # noqa: E402
from mmengine.runner import Runner  # noqa: E402

CONFIG = """
model = dict(type='Line')
train_dataloader = dict(
    batch_size=2,
    dataset=dict(type='Numbers'),
    sampler=dict(type='DefaultSampler', shuffle=True),
)
train_cfg = dict(by_epoch=True, max_epochs=1)
optim_wrapper = dict(optimizer=dict(type='AdamW', lr=1e-3))
param_scheduler = [
    dict(type='OneCycleLR', eta_max=0.1, end=9, by_epoch=False),
    dict(type='MultiStepLR', milestones=[1], end=9),
]
default_hooks = dict(logger=dict(type='LoggerHook', interval=1))
"""


@DATASETS.register_module()
class Numbers(BaseDataset):
    METAINFO = dict(palette=np.eye(3), reader=object())

    def load_data_list(self):
        return [dict(x=float(i)) for i in range(4)]

    def prepare_data(self, index):
        return dict(inputs=torch.tensor([index, 1.0]))


@MODELS.register_module()
class Line(BaseModel):
    def __init__(self):
        super().__init__()
        self.line = torch.nn.Linear(2, 1)

    def forward(self, inputs, mode='loss'):
        return dict(loss=self.line(torch.stack(inputs)).square().mean())


def main(folder, module, *runs):
    imports = [] if module == 'none' else [module]
    config = Path(folder, 'config.py')
    config.write_text(
        f'{CONFIG}\ncustom_imports = dict(imports={imports})\n'
        f'work_dir = {str(Path(folder, "work"))!r}\n'
    )
    histories = []
    for run in runs:
        epochs, resume, path = run.partition('+')
        cfg = Config.fromfile(config)
        cfg.train_cfg.max_epochs = int(epochs)
        cfg.resume, cfg.load_from = bool(resume), path or None
        cfg.experiment_name = f'run{len(histories)}_{epochs}'
        runner = Runner.from_cfg(cfg)
        runner.train()
        loss = runner.message_hub.get_scalar('train/loss')
        histories.append(loss.data[0].tolist())
    seen = dict(
        iter=runner.iter,
        histories=histories,
        schedulers=[s.last_step for s in runner.param_schedulers],
        weight=runner.model.line.weight.tolist(),
    )
    print(json.dumps(seen))


if __name__ == '__main__':
    main(*sys.argv[1:])
