# The frozen linear protocol on Cityscapes with mmsegmentation's standard crops
# and classes. Not run here: it needs the data and the GPUs.
_base_ = [
    '../_base_/models/linear-seg_mcjepa-convnext-tiny.py',
    'mmseg::_base_/datasets/cityscapes.py',
    'mmseg::_base_/default_runtime.py',
    '../_base_/schedules/seg-adamw-40k.py',
]

model = dict(
    data_preprocessor=dict(size=(512, 1024)),
    # ?: VICRegL has no Cityscapes; 2/3 of the crop, as on the other sets.
    test_cfg=dict(crop_size=(512, 1024), stride=(341, 683)),
)
train_dataloader = dict(batch_size=2)  # on each of 8 GPUs
