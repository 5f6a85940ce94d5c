# VICReg's two views, as its official code makes them, 224 px.
#
# They are built on Pillow and torchvision, like the official code, through
# mmpretrain's registry, because the OpenCV and mmcv counterparts differ:
# - RandomResizedCrop: Pillow's bicubic averages over the source pixels when it
#   shrinks; OpenCV's does not, and aliases.
# - ColorJitter: mmpretrain's own calls mmcv 2.0.1's adjust_hue, which raises
#   OverflowError for every negative hue on numpy 2. This is torchvision's with
#   the hue turned by OpenCV, which is faster than Pillow, and more exact.
# - RandomGrayscale: mmcv's weighs the channels equally unless told otherwise
#   and truncates; torchvision's is ITU-R 601 luma.
# - GaussianBlur: mmpretrain's is Pillow's, sigma uniform in [0.1, 2] (level 10
#   of 10 with std 'inf' is uniform over the range). Same as official.
# - Solarize: inverts values of at least 128, as Pillow's default does.
# NumpyToPIL makes RGB of the loader's BGR and every later step stays RGB.
# No deviation from the official values is known.
both_views = [
    dict(type='mmpretrain.NumpyToPIL', to_rgb=True),
    dict(
        type='mmpretrain.torchvision/RandomResizedCrop',
        size=224,
        scale=(0.08, 1.0),
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
view_1 = [
    *both_views,
    dict(
        type='mmpretrain.GaussianBlur',
        prob=1.0,
        magnitude_range=(0.1, 2.0),
        magnitude_std='inf',
    ),
]
view_2 = [
    *both_views,
    dict(
        type='mmpretrain.GaussianBlur',
        prob=0.1,
        magnitude_range=(0.1, 2.0),
        magnitude_std='inf',
    ),
    dict(type='mmpretrain.Solarize', thr=128, prob=0.2),
]

# inputs: list of 2 tensors (3, 224, 224) uint8, RGB.
vicreg_pipeline = [
    dict(type='mcjepa_mm.LoadImageStrict'),
    dict(
        type='mmpretrain.MultiView',
        num_views=[1, 1],
        transforms=[view_1, view_2],
    ),
    dict(type='mcjepa_mm.PackViews'),
]
