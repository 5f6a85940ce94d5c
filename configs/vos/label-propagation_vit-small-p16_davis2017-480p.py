# The same benchmark with mmpretrain's ViT-S/16: the tokens of its last layer
# after the norm, at stride 16. With DINO's weights this is the set-up of its
# published J&F of 61.8:
#   mim test mcjepa_mm label-propagation_vit-small-p16_davis2017-480p.py \
#       --checkpoint CHECKPOINT
# The checkpoint has mmpretrain's names, after "backbone.". The position
# embedding, of 14 x 14 patches, is resized to the frame's. Videos too:
#   --cfg-options test_evaluator.0.videos=True
#
# Not run here: it needs the data and the weights.
_base_ = './label-propagation_mcjepa-convnext-tiny_davis2017-480p.py'
out_dir = 'work_dirs/davis2017-480p_vit-small-p16'

model = dict(
    # DINO's script has 0.228 for red, and ImageNet's statistics 0.229
    data_preprocessor=dict(std=[58.14, 57.12, 57.375]),
    backbone=dict(
        _delete_=True,
        type='mmpretrain.VisionTransformer',
        arch='deit-small',
        img_size=224,
        patch_size=16,
        out_type='featmap',
    ),
    stride=16,
)
test_evaluator = [
    dict(type='ObjectMaskWriter', out_dir=out_dir, videos=False),
    dict(type='DAVISMetric', out_dir=out_dir),
]
