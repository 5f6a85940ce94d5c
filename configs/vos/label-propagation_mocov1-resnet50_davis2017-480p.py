# MoCo v1's ResNet-50 by the authors' file of weights, in the protocol of the
# published figure, SFC's: the 10 nearest cells of 20 frames, temperature 0.05.
#   mim test mcjepa_mm label-propagation_mocov1-resnet50_davis2017-480p.py \
#       --checkpoint none --cfg-options model.backbone.init_cfg.checkpoint=FILE
#
# Not run here: it needs the data and the weights.
_base_ = './label-propagation_mocov2-resnet50_davis2017-480p.py'
out_dir = 'work_dirs/davis2017-480p_mocov1-resnet50'
published = dict(JF=66.8, source='SFC, README.md at c4e349a')

model = dict(
    backbone=dict(
        init_cfg=dict(checkpoint='weights/moco_v1_200ep_pretrain.pth.tar')
    ),
    propagator=dict(context_frames=20, topk=10, temperature=0.05),
)
test_evaluator = [
    dict(type='ObjectMaskWriter', out_dir=out_dir, videos=False),
    dict(type='DAVISMetric', out_dir=out_dir),
]
