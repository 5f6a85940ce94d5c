# DINOv2's ViT-S/14 by the authors' file of weights or timm's:
#   mim test mcjepa_mm \
#       label-propagation_dinov2-vit-small-p14_davis2017-480p.py \
#       --checkpoint none --cfg-options model.backbone.init_cfg.checkpoint=FILE
# With registers: model.backbone.model_name=vit_small_patch14_reg4_dinov2.
# Frames have 14 pixels where those of patches of 16 have 16, so that the grid
# of cells is the same: 30 x 52 for 480 x 854. The position embedding is
# resized by timm as the authors do with registers; without, they leave out the
# antialiasing and shift it by 0.1.
#
# Not run here: it needs the data and the weights.
_base_ = [
    '../_base_/models/label-propagation_timm-vit.py',
    '../_base_/datasets/vos_davis2017.py',
    '../_base_/default_runtime.py',
]
out_dir = 'work_dirs/davis2017-480p_dinov2-vit-small-p14'
published = dict(JF=None, source='none found for this size')

model = dict(
    backbone=dict(
        model_name='vit_small_patch14_dinov2.lvd142m',
        init_cfg=dict(checkpoint='weights/dinov2_vits14_pretrain.pth'),
    ),
    stride=14,
)
test_dataloader = _base_.davis2017_test_dataloader
test_dataloader.dataset.pipeline[2].update(short_side=420, multiple=56)
test_evaluator = [
    dict(type='ObjectMaskWriter', out_dir=out_dir, videos=False),
    dict(type='DAVISMetric', out_dir=out_dir),
]
test_cfg = dict()
