# The embedded world: made on the fly, no file is read. Small pictures and
# small views, for two CPU cores.
#
# The views differ from VICReg's (vicreg_views.py) where the world differs from
# photographs: the hue of a picture is random, so views that keep it can be
# matched by it alone and nothing else is learnt. Hue is therefore jittered all
# around, crops are not as small, and blur is scaled with the size (I).
embedded_both_views = [
    dict(type='mmpretrain.NumpyToPIL', to_rgb=True),
    dict(
        type='mmpretrain.torchvision/RandomResizedCrop',
        size=64,
        scale=(0.3, 1.0),
        interpolation='bicubic',
    ),
    dict(type='mmpretrain.torchvision/RandomHorizontalFlip', p=0.5),
    dict(
        type='RandomApply',
        prob=0.9,
        transforms=[
            dict(
                type='mcjepa_mm.ColorJitterFastHue',
                brightness=0.4,
                contrast=0.4,
                saturation=0.6,
                hue=0.5,
            )
        ],
    ),
    dict(type='mmpretrain.torchvision/RandomGrayscale', p=0.3),
    dict(type='mmpretrain.PILToNumpy'),
]
embedded_view_1 = [
    *embedded_both_views,
    dict(
        type='mmpretrain.GaussianBlur',
        prob=1.0,
        magnitude_range=(0.1, 0.6),
        magnitude_std='inf',
    ),
]
embedded_view_2 = [
    *embedded_both_views,
    dict(
        type='mmpretrain.GaussianBlur',
        prob=0.1,
        magnitude_range=(0.1, 0.6),
        magnitude_std='inf',
    ),
    dict(type='mmpretrain.Solarize', thr=128, prob=0.2),
]

content_train_dataloader = dict(
    batch_size=32,
    num_workers=1,
    persistent_workers=True,
    drop_last=True,
    collate_fn=dict(type='default_collate'),
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='mcjepa_mm.EmbeddedImages',
        length=3200,
        cache=True,
        split='train',
        size=(96, 96),
        pipeline=[
            dict(
                type='mmpretrain.MultiView',
                num_views=[1, 1],
                transforms=[embedded_view_1, embedded_view_2],
            ),
            dict(type='mcjepa_mm.PackViews'),
        ],
    ),
)
motion_train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    drop_last=True,
    collate_fn=dict(type='default_collate'),
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='mcjepa_mm.EmbeddedPairs',
        length=20000,
        split='train',
        size=(128, 128),
        with_gt=False,
    ),
)
