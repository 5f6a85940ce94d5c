# DINOv3's ConvNeXt-T by the authors' file of weights or timm's:
#   mim test mcjepa_mm \
#       label-propagation_dinov3-convnext-tiny_davis2017-480p.py \
#       --checkpoint none --cfg-options model.backbone.init_cfg.checkpoint=FILE
#
# Not run here: it needs the data and the weights.
_base_ = [
    '../_base_/models/label-propagation_timm-vit.py',
    '../_base_/datasets/vos_davis2017.py',
    '../_base_/default_runtime.py',
]
out_dir = 'work_dirs/davis2017-480p_dinov3-convnext-tiny'
published = dict(JF=None, source='not reported by dinov3, MODEL_CARD.md')

model = dict(
    backbone=dict(
        _delete_=True,
        type='TIMMFeatureMaps',
        model_name='convnext_tiny.dinov3_lvd1689m',
        out_indices=(2,),  # ?: stride 16, the grid of ViT-S/16
        init_cfg=dict(
            type='Pretrained',
            checkpoint='weights/dinov3_convnext_tiny_pretrain_lvd1689m-21b726bb.pth',
        ),
    ),
)
test_dataloader = _base_.davis2017_test_dataloader
test_evaluator = [
    dict(type='ObjectMaskWriter', out_dir=out_dir, videos=False),
    dict(type='DAVISMetric', out_dir=out_dir),
]
test_cfg = dict()
