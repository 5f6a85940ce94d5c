# Frame pairs of the public optical flow data sets, without their labels, for
# motion: KITTI, Sintel, FlyingChairs, FlyingThings3D and HD1K (P). Batches
# are those of one of 8 GPUs. docs/flow_data.md says what to unpack where.
#
# To train without a data set, remove it from `datasets` at the end. `times`
# is how often it occurs in an epoch, ?: chosen so that none is below a
# twentieth of about 240 000 pairs.
crop_and_pack = [
    # ?: peers crop 256 x 832 on KITTI and 384 x 832 on Sintel. One crop for
    # the mixture has to fit its smallest frames, 370 (KITTI) x 512
    # (FlyingChairs), in multiples of 64.
    dict(type='mcjepa_mm.RandomCropPair', crop_size=(320, 512)),
    dict(type='mcjepa_mm.RandomFlipPair', horizontal=0.5),
    dict(type='mcjepa_mm.PackViews'),
]
# 22 872 pairs of 384 x 512.
flyingchairs_pairs = dict(
    type='RepeatDataset',
    times=1,
    dataset=dict(
        type='mcjepa_mm.BadSampleGuard',
        max_bad=10,
        dataset=dict(
            type='mcjepa_mm.FramePairs',
            data_root='data/flyingchairs',
            expects='FlyingChairs.zip, unpacked (docs/flow_data.md)',
            folders=['data'],
            frame_name=r'(?P<clip>\d+)_img(?P<number>[12])\.ppm',
            pipeline=crop_and_pack,
        ),
    ),
)
# 80 604 pairs of 540 x 960: 2239 scenes of 10 frames, two cameras, two passes.
flyingthings3d_pairs = dict(
    type='RepeatDataset',
    times=1,
    dataset=dict(
        type='mcjepa_mm.BadSampleGuard',
        max_bad=10,
        dataset=dict(
            type='mcjepa_mm.FramePairs',
            data_root='data/flyingthings3d',
            expects='the images of FlyingThings3D (docs/flow_data.md)',
            folders=[
                'frames_cleanpass/TRAIN/*/*/left',
                'frames_cleanpass/TRAIN/*/*/right',
                'frames_finalpass/TRAIN/*/*/left',
                'frames_finalpass/TRAIN/*/*/right',
            ],
            frame_name=r'(?P<number>\d+)\.(png|webp)',
            pipeline=crop_and_pack,
        ),
    ),
)
# 3186 pairs of 436 x 1024, two passes. ?: the test frames are used too, as no
# label is read; for figures on frames never seen, take a split out of
# `folders`.
sintel_pairs = dict(
    type='RepeatDataset',
    times=10,
    dataset=dict(
        type='mcjepa_mm.BadSampleGuard',
        max_bad=10,
        dataset=dict(
            type='mcjepa_mm.FramePairs',
            data_root='data/sintel',
            expects='MPI-Sintel-complete.zip, unpacked (docs/flow_data.md)',
            folders=[
                'training/clean',
                'training/final',
                'test/clean',
                'test/final',
            ],
            frame_name=r'frame_(?P<number>\d+)\.png',
            pipeline=crop_and_pack,
        ),
    ),
)
# Frames 0 to 20 of each scene, without 9 to 12, as peers do: the benchmark's
# pair is 10 and 11. Both splits.
kitti_multiview_frame = r'(?P<clip>\d{6})_(?P<number>0[0-8]|1[3-9]|20)\.png'
# About 5835 pairs of 375 x 1242.
kitti2012_pairs = dict(
    type='RepeatDataset',
    times=4,
    dataset=dict(
        type='mcjepa_mm.BadSampleGuard',
        max_bad=10,
        dataset=dict(
            type='mcjepa_mm.FramePairs',
            data_root='data/kitti2012',
            expects='KITTI 2012, data_stereo_flow_multiview.zip, unpacked '
            '(docs/flow_data.md)',
            folders=['training/colored_0', 'testing/colored_0'],
            frame_name=kitti_multiview_frame,
            pipeline=crop_and_pack,
        ),
    ),
)
# About 6000 pairs of 375 x 1242.
kitti2015_pairs = dict(
    type='RepeatDataset',
    times=4,
    dataset=dict(
        type='mcjepa_mm.BadSampleGuard',
        max_bad=10,
        dataset=dict(
            type='mcjepa_mm.FramePairs',
            data_root='data/kitti2015',
            expects='KITTI 2015, data_scene_flow_multiview.zip, unpacked '
            '(docs/flow_data.md)',
            folders=['training/image_2', 'testing/image_2'],
            frame_name=kitti_multiview_frame,
            pipeline=crop_and_pack,
        ),
    ),
)
# About 42 000 pairs of about 375 x 1242 (city, residential and road), the
# left colour camera. They include the benchmark's frames: docs/flow_data.md.
kitti_raw_pairs = dict(
    type='RepeatDataset',
    times=1,
    dataset=dict(
        type='mcjepa_mm.BadSampleGuard',
        max_bad=10,
        dataset=dict(
            type='mcjepa_mm.FramePairs',
            data_root='data/kitti_raw',
            expects='KITTI raw, synced and rectified (docs/flow_data.md)',
            folders=['*/*_sync/image_02/data'],
            frame_name=r'(?P<number>\d{10})\.(png|jpg)',
            pipeline=crop_and_pack,
        ),
    ),
)
# About 1050 pairs of 1080 x 2560, halved: the crop sees four times as much,
# and motion is as large as in the other sets.
hd1k_pairs = dict(
    type='RepeatDataset',
    times=12,
    dataset=dict(
        type='mcjepa_mm.BadSampleGuard',
        max_bad=10,
        dataset=dict(
            type='mcjepa_mm.FramePairs',
            data_root='data/hd1k',
            expects='HD1K, hd1k_input.zip, unpacked (docs/flow_data.md)',
            folders=['hd1k_input/image_2'],
            frame_name=r'(?P<clip>\d{6})_(?P<number>\d{4})\.png',
            pipeline=[
                dict(type='mcjepa_mm.ResizePair', short_side=540),
                *crop_and_pack,
            ],
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
        type='ConcatDataset',
        datasets=[
            flyingchairs_pairs,
            flyingthings3d_pairs,
            sintel_pairs,
            kitti2012_pairs,
            kitti2015_pairs,
            kitti_raw_pairs,
            hd1k_pairs,
        ],
    ),
)
