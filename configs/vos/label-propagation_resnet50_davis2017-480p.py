# The same benchmark with mmpretrain's ResNet-50, to compare with: its second
# stage, at stride 8. A checkpoint of mmpretrain serves as it is:
#   mim test mcjepa_mm label-propagation_resnet50_davis2017-480p.py \
#       --checkpoint resnet50_8xb32_in1k.pth
# Videos too: --cfg-options test_evaluator.0.videos=True
#
# Not run here: it needs the data and the weights.
_base_ = './label-propagation_mcjepa-convnext-tiny_davis2017-480p.py'
out_dir = 'work_dirs/davis2017-480p_resnet50'

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmpretrain.ResNet',
        depth=50,
        num_stages=2,  # what follows is not needed
        strides=(1, 2),
        dilations=(1, 1),
        out_indices=(1,),
    )
)
test_evaluator = [
    dict(type='ObjectMaskWriter', out_dir=out_dir, videos=False),
    dict(type='DAVISMetric', out_dir=out_dir),
]
