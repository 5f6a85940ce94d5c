# The default job's encoder (mcjepa_convnext-micro.py) in mmpretrain's
# classifier.
_base_ = './mcjepa-classifier_convnext-tiny.py'

model = dict(
    backbone=dict(
        arch=dict(
            _delete_=True, depths=(1, 1, 2, 1), channels=(48, 96, 160, 224)
        )
    )
)
