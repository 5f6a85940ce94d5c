# Your own images and videos, no labels, small: views of 64 pixels and pairs of
# 128, for two CPU cores.
#   MCJEPA_IMAGES=/path/to/images MCJEPA_VIDEOS=/path/to/videos
# Images are found at any depth, through links too. Videos likewise, and
# folders of frames.
#
# The views are VICReg's (vicreg_views.py) in colour. In size they differ: a
# crop of 8 % of a picture, enlarged to 64 pixels, shows nothing, and the blur
# is scaled with the size (I).
_base_ = []  # mmengine takes an import before it for a config of another kind

import os  # noqa: E402  a path is data: a quote in it would end this text

small_both_views = [
    dict(type='mmpretrain.NumpyToPIL', to_rgb=True),
    dict(
        type='mmpretrain.torchvision/RandomResizedCrop',
        size=64,
        scale=(0.2, 1.0),
        interpolation='bicubic',
    ),
    dict(type='mmpretrain.torchvision/RandomHorizontalFlip', p=0.5),
    dict(
        type='RandomApply',
        prob=0.8,
        transforms=[
            dict(
                type='mcjepa_mm.ColorJitterFastHue',
                brightness=0.4,
                contrast=0.4,
                saturation=0.2,
                hue=0.1,
            )
        ],
    ),
    dict(type='mmpretrain.torchvision/RandomGrayscale', p=0.2),
    dict(type='mmpretrain.PILToNumpy'),
]
small_view_1 = [
    *small_both_views,
    dict(
        type='mmpretrain.GaussianBlur',
        prob=1.0,
        magnitude_range=(0.1, 0.6),
        magnitude_std='inf',
    ),
]
small_view_2 = [
    *small_both_views,
    dict(
        type='mmpretrain.GaussianBlur',
        prob=0.1,
        magnitude_range=(0.1, 0.6),
        magnitude_std='inf',
    ),
    dict(type='mmpretrain.Solarize', thr=128, prob=0.2),
]

# An epoch's length is the sampler's, not the folder's: the run has as many
# steps on ten images as on a million.
own_content_dataloader = dict(
    batch_size=32,
    num_workers=1,
    persistent_workers=True,
    drop_last=True,
    collate_fn=dict(type='default_collate'),
    sampler=dict(type='mcjepa_mm.FixedLengthSampler', length=3200),
    dataset=dict(
        type='mcjepa_mm.BadSampleGuard',
        max_bad=10,
        dataset=dict(
            type='mcjepa_mm.UnlabelledImages',
            data_root=os.environ.get('MCJEPA_IMAGES', 'data/images'),
            pipeline=[
                dict(type='mcjepa_mm.LoadImageStrict'),
                dict(
                    type='mmpretrain.MultiView',
                    num_views=[1, 1],
                    transforms=[small_view_1, small_view_2],
                ),
                dict(type='mcjepa_mm.PackViews'),
            ],
        ),
    ),
)

# Frames of any size are brought near the crop's, 128, a multiple of the
# largest stride, 64, and cropped at places apart, as in the default job. Of
# slow videos two frames further apart tell more, so pairs (t, t + 1) and
# (t, t + 2) are mixed.
own_pairs_pipeline = [
    dict(type='mcjepa_mm.ResizePair', short_side=144),
    dict(type='mcjepa_mm.RandomCropPair', crop_size=(128, 128), max_offset=16),
    dict(type='mcjepa_mm.RandomFlipPair', horizontal=0.5),
    dict(type='mcjepa_mm.PackViews'),
]
own_motion_dataloader = dict(
    batch_size=4,
    num_workers=1,
    persistent_workers=True,
    drop_last=True,
    collate_fn=dict(type='default_collate'),
    # above 1: faster on videos, see docs/data.md
    sampler=dict(
        type='mcjepa_mm.FixedLengthSampler', length=400, pairs_per_seek=1
    ),
    dataset=dict(
        type='ConcatDataset',
        ignore_keys=['dataset_type', 'task_name'],
        datasets=[
            dict(
                type='mcjepa_mm.BadSampleGuard',
                max_bad=10,
                dataset=dict(
                    type='mcjepa_mm.FramePairs',
                    data_root=os.environ.get('MCJEPA_VIDEOS', 'data/videos'),
                    frame_gap=1,
                    pipeline=own_pairs_pipeline,
                ),
            ),
            dict(
                type='mcjepa_mm.BadSampleGuard',
                max_bad=10,
                dataset=dict(
                    type='mcjepa_mm.FramePairs',
                    data_root=os.environ.get('MCJEPA_VIDEOS', 'data/videos'),
                    frame_gap=2,
                    pipeline=own_pairs_pipeline,
                ),
            ),
        ],
    ),
)
