# kNN of the default job's encoder on pictures of the embedded world. Give the
# pretraining's checkpoint to test with.
_base_ = [
    '../_base_/models/mcjepa-classifier_convnext-micro.py',
    '../_base_/datasets/embedded_imagenet.py',
    'mmpretrain::_base_/default_runtime.py',
]
custom_imports = dict(imports=['mcjepa_mm'])

model = dict(
    head=dict(
        type='mcjepa_mm.KNNHead', num_classes=10, k=20, temperature=0.07
    ),
)
custom_hooks = [
    dict(
        type='mcjepa_mm.FeatureBankHook',
        dataloader=dict(
            batch_size=64,
            num_workers=1,
            dataset=dict(
                type='ImageNet',
                data_root='data/embedded_imagenet',
                split='train',
                metainfo=dict(classes=_base_.embedded_classes),
                pipeline=_base_.test_pipeline,
            ),
            sampler=dict(type='DefaultSampler', shuffle=False),
        ),
    )
]
train_dataloader = None
val_dataloader = None
val_evaluator = None
test_evaluator = dict(type='Accuracy', topk=(1,))
test_cfg = dict()
