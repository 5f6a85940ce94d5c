# The paper's data: ImageNet-1k for content, a folder of frames for motion.
# Batches are those of one of 8 GPUs.
#
# data/imagenet      train/<class>/*.JPEG
# data/frame_pairs   KITTI, Sintel, FlyingChairs, FlyingThings3D and HD1K (P)
#                    as folders of consecutive frames; how often each occurs
#                    is open (?): link a folder more than once to repeat it.
_base_ = './vicreg_views.py'

content_train_dataloader = dict(
    batch_size=48,  # 384 in total (P/p)
    num_workers=8,
    persistent_workers=True,
    pin_memory=True,
    drop_last=True,
    collate_fn=dict(type='default_collate'),
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='mcjepa_mm.BadSampleGuard',
        max_bad=10,
        dataset=dict(
            type='mmpretrain.ImageNet',
            data_root='data/imagenet',
            split='train',
            pipeline={{_base_.vicreg_pipeline}},
        ),
    ),
)

motion_train_dataloader = dict(
    batch_size=1,  # 8 in total (P/p)
    num_workers=4,
    persistent_workers=True,
    pin_memory=True,
    drop_last=True,
    collate_fn=dict(type='default_collate'),
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='mcjepa_mm.BadSampleGuard',
        max_bad=10,
        dataset=dict(
            type='mcjepa_mm.FramePairs',
            data_root='data/frame_pairs',
            frame_gap=1,
            pipeline=[
                # ?: peers crop 256 x 832 on KITTI and 384 x 832 on Sintel.
                # One crop for the mixture has to fit its smallest frames,
                # 375 (KITTI) x 512 (FlyingChairs), in multiples of 64.
                dict(type='mcjepa_mm.RandomCropPair', crop_size=(320, 512)),
                dict(type='mcjepa_mm.RandomFlipPair', horizontal=0.5),
                dict(type='mcjepa_mm.PackViews'),
            ],
        ),
    ),
)
