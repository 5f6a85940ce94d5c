# M-JEPA: the motion task of the paper's recipe alone.
_base_ = './mcjepa_convnext-tiny_8xb48-coslr-100e_in1k-frames.py'

model = dict(heads=dict(content=None, motion=dict(loss_weight=1.0)))
train_dataloader = dict(content=None)
custom_hooks = [
    dict(type='MultiTaskHook', main_task='motion'),
    dict(
        type='ScheduleHook',
        target='heads.motion.losses.vc.loss_weight',
        length=1,
    ),
    dict(
        type='ScheduleHook',
        target='heads.motion.occlusion_weight',
        begin=5,
        length=5,
    ),
    dict(type='PretrainVisualizationHook', interval=5),
]
val_dataloader = dict(content=None)
val_evaluator = dict(content=None)
test_dataloader = val_dataloader
test_evaluator = val_evaluator
find_unused_parameters = False
