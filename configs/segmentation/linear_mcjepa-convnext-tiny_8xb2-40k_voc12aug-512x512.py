# VICRegL's frozen linear protocol on Pascal VOC 2012 aug. Not run here: it
# needs the data and the GPUs.
_base_ = [
    '../_base_/models/linear-seg_mcjepa-convnext-tiny.py',
    'mmseg::_base_/datasets/pascal_voc12_aug.py',
    'mmseg::_base_/default_runtime.py',
    '../_base_/schedules/seg-adamw-40k.py',
]

model = dict(
    data_preprocessor=dict(size=(512, 512)), decode_head=dict(num_classes=21)
)
# From the first step on, as mmcv 0.x had it: VICRegL's rate is the product.
param_scheduler = [_base_.warm_up, dict(_base_.poly, begin=0)]
# Without Pad: the preprocessor pads small crops after the normalisation, with
# the mean colour, as VICRegL does, and not with black before it.
train_pipeline = [t for t in _base_.train_pipeline if t['type'] != 'Pad']
train_dataloader = dict(
    batch_size=2,  # on each of 8 GPUs
    dataset=dict(
        datasets=[
            dict(_base_.dataset_train, pipeline=train_pipeline),
            dict(_base_.dataset_aug, pipeline=train_pipeline),
        ]
    ),
)
