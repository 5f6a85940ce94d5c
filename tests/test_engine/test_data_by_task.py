"""The older form of a training's data becomes data by task."""

import pytest
from mmengine.config import Config

from mcjepa_mm.engine.data_by_task import main_task, write_data_by_task

SAMPLER = dict(type='DefaultSampler', shuffle=True)


def loader(name, size):
    return dict(batch_size=size, dataset=dict(type=name), sampler=SAMPLER)


def config(data, **hook):
    hook = dict(type='mcjepa_mm.MultiTaskHook', main_task='content', **hook)
    return Config(
        dict(
            train_dataloader=data,
            train_cfg=dict(type='ResumableTrainLoop', max_epochs=1),
            custom_hooks=[hook],
        )
    )


def by_task():
    return dict(content=loader('Images', 8), motion=loader('Pairs', 4))


def test_one_dataloader_and_the_others_in_the_hook():
    task = dict(dataloader=loader('Pairs', 4), begin=10)
    cfg = config(loader('Images', 8), tasks=dict(motion=task))
    cfg.train_cfg = dict(by_epoch=True, max_epochs=1)
    with pytest.warns(FutureWarning, match='content=.*motion=') as said:
        write_data_by_task(cfg)
    assert len(said) == 1
    assert cfg.train_dataloader == by_task()
    (hook,) = cfg.custom_hooks
    assert hook.begin == dict(motion=10) and 'tasks' not in hook
    assert cfg.train_cfg == dict(
        type='mcjepa_mm.MultiTaskTrainLoop', max_epochs=1
    )


@pytest.mark.filterwarnings('ignore::FutureWarning')
def test_what_is_said_of_no_task_is_the_main_tasks():
    cfg = config(by_task(), begin=dict(motion=1))
    cfg.merge_from_dict(
        {
            'train_dataloader.batch_size': 2,
            'train_dataloader.dataset.length': 9,
            'custom_hooks.0.tasks.motion.dataloader.batch_size': 1,
            'custom_hooks.0.tasks.motion.begin': 3,
        }
    )
    write_data_by_task(cfg)
    images, pairs = loader('Images', 2), loader('Pairs', 1)
    images['dataset']['length'] = 9
    assert cfg.train_dataloader == dict(content=images, motion=pairs)
    assert cfg.custom_hooks[0].begin == dict(motion=3)


@pytest.mark.filterwarnings('ignore::FutureWarning')
def test_a_whole_dataloader_takes_the_place_of_an_inherited_one():
    other = dict(loader('Frames', 1), num_workers=2)
    cfg = config(by_task(), tasks=dict(motion=dict(dataloader=other)))
    cfg.train_dataloader.motion.pin_memory = True
    write_data_by_task(cfg)
    assert cfg.train_dataloader.motion == other


@pytest.mark.parametrize(
    'data, main',
    [(by_task(), 'content'), (loader('Images', 8), None)],
    ids=['by task', 'no tasks'],
)
@pytest.mark.filterwarnings('error')
def test_nothing_else_is_changed(data, main):
    cfg = config(data)
    cfg.custom_hooks = []
    before = cfg.to_dict()
    assert main_task(cfg) == main
    write_data_by_task(cfg)
    assert cfg.to_dict() == before
