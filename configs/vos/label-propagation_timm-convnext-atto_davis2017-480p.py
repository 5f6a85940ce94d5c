# The same benchmark with an encoder of timm, whichever model_name says: its
# map at stride 8. Random as it stands; with a file of timm's weights:
#   mim test mcjepa_mm label-propagation_timm-convnext-atto_davis2017-480p.py \
#       --checkpoint none --cfg-options model.backbone.pretrained=True \
#       model.backbone.pretrained_cfg_overlay.file=FILE
# Videos too: --cfg-options test_evaluator.0.videos=True
#
# Not run here: it needs the data and the weights.
_base_ = './label-propagation_mcjepa-convnext-tiny_davis2017-480p.py'
out_dir = 'work_dirs/davis2017-480p_timm-convnext-atto'

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmpretrain.TIMMBackbone',
        model_name='convnext_atto',
        features_only=True,
        out_indices=(1,),
        pretrained=False,
    )
)
test_evaluator = [
    dict(type='ObjectMaskWriter', out_dir=out_dir, videos=False),
    dict(type='DAVISMetric', out_dir=out_dir),
]
