# The paper's recipe: ImageNet-1k and frame pairs on 8 GPUs, 384 images and 8
# pairs a step (P/p). Not run here: it needs the data and the GPUs.
_base_ = [
    '../_base_/models/mcjepa_convnext-tiny.py',
    '../_base_/datasets/imagenet_frame_pairs.py',
    '../_base_/datasets/embedded_val.py',
    '../_base_/schedules/adamw_coslr-100e.py',
    '../_base_/default_runtime.py',
]
train_dataloader = dict(
    content=_base_.content_train_dataloader,
    motion=_base_.motion_train_dataloader,
)
custom_hooks = [
    dict(
        type='MultiTaskHook',
        main_task='content',
        begin=dict(motion=10),  # P
        strategy='combined',
    ),
    # L_vc ramps up over one epoch (p).
    dict(
        type='ScheduleHook',
        target='heads.motion.losses.vc.loss_weight',
        begin=10,
        length=1,
    ),
    # ?: when occluded pixels begin to be left out.
    dict(
        type='ScheduleHook',
        target='heads.motion.occlusion_weight',
        begin=15,
        length=5,
    ),
    dict(type='PretrainVisualizationHook', interval=5),
]
# Until flow begins, its head has no gradient.
find_unused_parameters = True
