# Label propagation by a ResNet-50: its third stage, res4, at stride 8. Its
# stride is taken away and nothing is dilated, as VFS (arXiv 2103.17263) and
# SFC (arXiv 2207.10456) measure such nets.
_base_ = './label-propagation_mcjepa-convnext-tiny.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmpretrain.ResNet',
        depth=50,
        num_stages=3,  # what follows is not needed
        strides=(1, 2, 1),
        dilations=(1, 1, 1),
        out_indices=(2,),
        init_cfg=dict(type='Pretrained', checkpoint='weights/resnet50.pth'),
    ),
)
