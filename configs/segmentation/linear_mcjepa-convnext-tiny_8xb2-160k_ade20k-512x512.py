# VICRegL's frozen linear protocol on ADE20K. Not run here: it needs the data
# and the GPUs.
_base_ = [
    '../_base_/models/linear-seg_mcjepa-convnext-tiny.py',
    'mmseg::_base_/datasets/ade20k.py',
    'mmseg::_base_/default_runtime.py',
    '../_base_/schedules/seg-adamw-160k.py',
]

model = dict(
    data_preprocessor=dict(size=(512, 512)), decode_head=dict(num_classes=150)
)
# From the first step on, as mmcv 0.x had it: VICRegL's rate is the product.
param_scheduler = [_base_.warm_up, dict(_base_.poly, begin=0)]
train_dataloader = dict(batch_size=2)  # on each of 8 GPUs
