# Linear probe of the default job's encoder on pictures of the embedded world:
# the recipe for ImageNet, made small. Of the learning rates 0.3, 0.1, 0.03 and
# 0.01, 0.1 ended at the lowest training loss on a trained encoder, and within
# 0.01 of the lowest on an untrained one.
_base_ = [
    '../_base_/models/mcjepa-classifier_convnext-micro.py',
    '../_base_/datasets/embedded_imagenet.py',
    'mmpretrain::_base_/schedules/imagenet_sgd_coslr_100e.py',
    'mmpretrain::_base_/default_runtime.py',
]
custom_imports = dict(imports=['mcjepa_mm'])
epochs = 10

model = dict(
    backbone=dict(
        frozen_stages=6,  # all of it, in eval mode
        init_cfg=dict(
            type='Pretrained',
            # Another one: --cfg-options
            # model.backbone.init_cfg.checkpoint=...
            checkpoint='work_dirs/quickstart/epoch_8.pth',
            prefix='backbone.',
        ),
    ),
    neck=[
        dict(type='mmpretrain.GlobalAveragePooling'),
        dict(type='mmpretrain.ClsBatchNormNeck', input_features=224),
    ],
    head=dict(
        type='mmpretrain.LinearClsHead', num_classes=10, in_channels=224
    ),
)
optim_wrapper = dict(optimizer=dict(lr=0.1))
train_cfg = dict(max_epochs=epochs, val_interval=epochs)
param_scheduler = [
    dict(
        type='CosineAnnealingLR',
        T_max=epochs,
        by_epoch=True,
        convert_to_iter_based=True,
    )
]
val_evaluator = dict(type='Accuracy', topk=(1,))
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(interval=epochs))
randomness = dict(seed=0)
