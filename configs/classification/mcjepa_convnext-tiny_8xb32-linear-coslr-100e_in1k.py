# Linear probe on ImageNet-1k: the encoder is frozen, a linear layer on its
# embedding is trained.
#
# ?: the paper does not say how it would classify. This is the evaluation that
# VICRegL, by the same first author, gives for ConvNeXts, and VICReg for
# ResNet-50: SGD, 0.3 at a batch of 256, momentum 0.9, weight decay 1e-6,
# cosine over 100 epochs, crops of 224 and flips, weights of std 0.01.
# mmpretrain has it for Barlow Twins, and that is inherited.
#
# ?: VICRegL's encoder ends in a LayerNorm, this one in none. MAE's norm for
# linear probes, a BatchNorm without weights, stands in for it: with raw
# embeddings the small probe diverged at this learning rate.
#
# Not run here: it needs the data and the GPUs.
_base_ = [
    '../_base_/models/mcjepa-classifier_convnext-tiny.py',
    'mmpretrain::_base_/datasets/imagenet_bs32_pil_resize.py',
    'mmpretrain::_base_/schedules/imagenet_sgd_coslr_100e.py',
    'mmpretrain::_base_/default_runtime.py',
]
custom_imports = dict(imports=['mcjepa_mm'])

model = dict(
    backbone=dict(
        frozen_stages=6,  # all of it, in eval mode
        init_cfg=dict(
            type='Pretrained',
            # Another one: --cfg-options
            # model.backbone.init_cfg.checkpoint=...
            checkpoint='work_dirs/'
            'mcjepa_convnext-tiny_8xb48-coslr-100e_in1k-frames/epoch_100.pth',
            prefix='backbone.',
        ),
    ),
    neck=[
        dict(type='mmpretrain.GlobalAveragePooling'),
        dict(type='mmpretrain.ClsBatchNormNeck', input_features=768),
    ],
    head=dict(
        type='mmpretrain.LinearClsHead', num_classes=1000, in_channels=768
    ),
)
default_hooks = dict(
    checkpoint=dict(interval=10, max_keep_ckpts=3),
)
