# Fine-tuning with UPerNet on Pascal VOC 2012 aug. Not run here: it needs the
# data and the GPUs.
_base_ = [
    '../_base_/models/upernet_mcjepa-convnext-tiny.py',
    'mmseg::_base_/datasets/pascal_voc12_aug.py',
    'mmseg::_base_/default_runtime.py',
    '../_base_/schedules/seg-adamw-40k.py',
]

model = dict(
    data_preprocessor=dict(size=(512, 512)),
    decode_head=dict(num_classes=21),
    auxiliary_head=dict(num_classes=21),
)
train_dataloader = dict(batch_size=2)  # on each of 8 GPUs
optim_wrapper = _base_.layer_decay
