# The same with the default job's encoder (mcjepa_convnext-micro.py).
_base_ = './label-propagation_mcjepa-convnext-tiny.py'

model = dict(
    backbone=dict(
        arch=dict(
            _delete_=True, depths=(1, 1, 2, 1), channels=(48, 96, 160, 224)
        )
    )
)
