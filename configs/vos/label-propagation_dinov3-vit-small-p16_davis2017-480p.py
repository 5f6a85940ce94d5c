# DINOv3's ViT-S/16 by the authors' file of weights or timm's:
#   mim test mcjepa_mm \
#       label-propagation_dinov3-vit-small-p16_davis2017-480p.py \
#       --checkpoint none --cfg-options model.backbone.init_cfg.checkpoint=FILE
# The published figure is of another protocol: DINOv3's notebook has frames of
# 960 pixels, a temperature of 0.2 and a round neighbourhood.
#
# Not run here: it needs the data and the weights.
_base_ = [
    '../_base_/models/label-propagation_timm-vit.py',
    '../_base_/datasets/vos_davis2017.py',
    '../_base_/default_runtime.py',
]
out_dir = 'work_dirs/davis2017-480p_dinov3-vit-small-p16'
published = dict(JF=72.7, source='dinov3, MODEL_CARD.md at 6876159')

model = dict(
    backbone=dict(
        model_name='vit_small_patch16_dinov3.lvd1689m',
        init_cfg=dict(
            checkpoint='weights/dinov3_vits16_pretrain_lvd1689m-08c60483.pth'
        ),
    ),
)
test_dataloader = _base_.davis2017_test_dataloader
test_evaluator = [
    dict(type='ObjectMaskWriter', out_dir=out_dir, videos=False),
    dict(type='DAVISMetric', out_dir=out_dir),
]
test_cfg = dict()
