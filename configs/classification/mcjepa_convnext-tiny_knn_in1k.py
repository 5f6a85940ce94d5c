# kNN on ImageNet-1k, nothing is trained: the 20 nearest training pictures vote
# for the class of a validation picture. Give the pretraining's checkpoint to
# test with.
#
# ?: the paper has no kNN; k, temperature and pictures without augmentation
# are those of DINO's evaluation.
#
# Not run here: it needs the data. A process holds the whole bank, 3.9 GB.
_base_ = [
    '../_base_/models/mcjepa-classifier_convnext-tiny.py',
    'mmpretrain::_base_/datasets/imagenet_bs64_pil_resize.py',
    'mmpretrain::_base_/default_runtime.py',
]
custom_imports = dict(imports=['mcjepa_mm'])

# No frozen_stages: a test changes nothing, and DistributedDataParallel refuses
# a model without a parameter that has a gradient.
model = dict(
    head=dict(
        type='mcjepa_mm.KNNHead', num_classes=1000, k=20, temperature=0.07
    ),
)
custom_hooks = [
    dict(
        type='mcjepa_mm.FeatureBankHook',
        dataloader=dict(
            batch_size=64,
            num_workers=5,
            dataset=dict(
                type='ImageNet',
                data_root='data/imagenet',
                split='train',
                pipeline=_base_.test_pipeline,
            ),
            sampler=dict(type='DefaultSampler', shuffle=False),
        ),
    )
]
train_dataloader = None
val_dataloader = None
val_evaluator = None
test_cfg = dict()
