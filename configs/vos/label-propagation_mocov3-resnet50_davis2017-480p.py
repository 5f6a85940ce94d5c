# MoCo v3's ResNet-50 by the authors' file of weights:
#   mim test mcjepa_mm label-propagation_mocov3-resnet50_davis2017-480p.py \
#       --checkpoint none --cfg-options model.backbone.init_cfg.checkpoint=FILE
#
# Not run here: it needs the data and the weights.
_base_ = [
    '../_base_/models/label-propagation_resnet50-res4.py',
    '../_base_/datasets/vos_davis2017.py',
    '../_base_/default_runtime.py',
]
out_dir = 'work_dirs/davis2017-480p_mocov3-resnet50'
published = dict(JF=None, source='none verified')

model = dict(
    backbone=dict(
        init_cfg=dict(
            checkpoint='weights/r-50-1000ep.pth.tar',
            prefix='module.base_encoder',
        ),
    ),
)
test_dataloader = _base_.davis2017_test_dataloader
test_evaluator = [
    dict(type='ObjectMaskWriter', out_dir=out_dir, videos=False),
    dict(type='DAVISMetric', out_dir=out_dir),
]
test_cfg = dict()
