# VICRegL's frozen linear protocol on Cityscapes with mmsegmentation's standard
# crops and 19 classes; VICRegL's own config has 30, a ResNet-50 and dropout.
# Not run here: it needs the data and the GPUs.
_base_ = [
    '../_base_/models/linear-seg_mcjepa-convnext-tiny.py',
    'mmseg::_base_/datasets/cityscapes.py',
    'mmseg::_base_/default_runtime.py',
    '../_base_/schedules/seg-adamw-40k.py',
]

model = dict(
    data_preprocessor=dict(size=(512, 1024)),
    test_cfg=dict(_delete_=True, mode='whole'),
)
# From the first step on, as mmcv 0.x had it: VICRegL's rate is the product.
param_scheduler = [_base_.warm_up, dict(_base_.poly, begin=0)]
train_dataloader = dict(batch_size=2)  # on each of 8 GPUs
