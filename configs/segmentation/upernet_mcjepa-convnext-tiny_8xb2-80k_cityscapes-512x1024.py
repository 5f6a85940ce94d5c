# Fine-tuning with UPerNet on Cityscapes. Not run here: it needs the data and
# the GPUs.
_base_ = [
    '../_base_/models/upernet_mcjepa-convnext-tiny.py',
    'mmseg::_base_/datasets/cityscapes.py',
    'mmseg::_base_/default_runtime.py',
    '../_base_/schedules/seg-adamw-80k.py',
]

model = dict(
    data_preprocessor=dict(size=(512, 1024)),
    test_cfg=dict(crop_size=(512, 1024), stride=(341, 683)),
)
train_dataloader = dict(batch_size=2)  # on each of 8 GPUs
optim_wrapper = _base_.layer_decay
