# Label propagation by a vision transformer of timm: the tokens of its last
# block after the last norm, without class and register tokens, at the stride
# of its patches.
_base_ = './label-propagation_mcjepa-convnext-tiny.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='TIMMFeatureMaps',
        model_name='vit_small_patch16_224.dino',
        dynamic_img_size=True,  # the position embedding follows the frame
        init_cfg=dict(type='Pretrained', checkpoint='weights/vit.pth'),
    ),
    stride=16,
)
