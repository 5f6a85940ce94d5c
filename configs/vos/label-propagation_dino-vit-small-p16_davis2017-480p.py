# DINO's ViT-S/16 by the authors' file of weights or timm's:
#   mim test mcjepa_mm \
#       label-propagation_dino-vit-small-p16_davis2017-480p.py \
#       --checkpoint none --cfg-options model.backbone.init_cfg.checkpoint=FILE
# The position embedding is resized by timm, without DINO's shift by 0.1.
#
# Not run here: it needs the data and the weights.
_base_ = [
    '../_base_/models/label-propagation_timm-vit.py',
    '../_base_/datasets/vos_davis2017.py',
    '../_base_/default_runtime.py',
]
out_dir = 'work_dirs/davis2017-480p_dino-vit-small-p16'
published = dict(JF=61.8, source='arXiv 2104.14294')

model = dict(
    # DINO's script has 0.228 for red, and ImageNet's statistics 0.229
    data_preprocessor=dict(std=[58.14, 57.12, 57.375]),
    backbone=dict(
        init_cfg=dict(checkpoint='weights/dino_deitsmall16_pretrain.pth')
    ),
)
test_dataloader = _base_.davis2017_test_dataloader
test_evaluator = [
    dict(type='ObjectMaskWriter', out_dir=out_dir, videos=False),
    dict(type='DAVISMetric', out_dir=out_dir),
]
test_cfg = dict()
