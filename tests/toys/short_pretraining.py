# The default job in small, with all that a resumed run has to carry on: three
# short epochs, a second stream of data that is not as long as an epoch, flow
# that begins later, ramps, validation, and checkpoints within the epochs.
_base_ = '../../configs/mcjepa_convnext.py'

train_dataloader = dict(
    content=dict(batch_size=4, dataset=dict(length=20)),
    motion=dict(batch_size=2, dataset=dict(length=6)),
)
train_cfg = dict(max_epochs=3, val_interval=2)
param_scheduler = dict(total_steps=15)
val_dataloader = dict(
    content=dict(batch_size=8, dataset=dict(length=24)),
    motion=dict(batch_size=2, dataset=dict(length=2)),
    propagation=None,
)
val_evaluator = dict(propagation=None)

custom_hooks = [
    dict(
        type='MultiTaskHook',
        main_task='content',
        begin=dict(motion=2),
        by_epoch=False,
    ),
    dict(
        type='ScheduleHook',
        target='heads.motion.occlusion_weight',
        begin=1,
        length=2,
    ),
    dict(type='LossRecordHook', path='losses.jsonl'),
]
custom_imports = dict(imports=['mcjepa_mm', 'loss_record'])
default_hooks = dict(
    logger=dict(interval=1),
    checkpoint=dict(by_epoch=False, interval=2, max_keep_ckpts=2),
)
model = dict(
    # Dropped units show whether the random states of the steps agree.
    backbone=dict(arch=dict(channels=(8, 8, 16, 16)), drop_path_rate=0.2),
    heads=dict(
        content=dict(expander_channels=(16, 16)),
        motion=dict(
            decoder=dict(finest=2, hidden=(4,), radius=1),
        ),
        propagation=None,
    ),
)
