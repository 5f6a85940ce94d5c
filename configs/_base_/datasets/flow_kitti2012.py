# KITTI 2012 with labels: 194 pairs of about 375 x 1242, sparse flow. The
# labels of `testing` are not public, so figures are given on `training`: do
# not train on it for those. With test_mode=True the data set lists `testing`,
# without flow, for a submission.
kitti2012_train_pipeline = [
    dict(type='mcjepa_mm.LoadFlowPair'),
    dict(type='mcjepa_mm.LoadFlowAnnotations', with_masks=False),
    # As mmflow's RAFT.
    dict(
        type='mmflow.ColorJitter',
        asymmetric_prob=0.0,
        brightness=0.4,
        contrast=0.4,
        saturation=0.4,
        hue=0.5 / 3.14,
    ),
    # As mmflow crops, in multiples of 64. The frames are 370 to 376 high.
    dict(type='mmflow.RandomCrop', crop_size=(320, 896)),
    dict(type='mmflow.RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='mcjepa_mm.PackFlow'),
]

kitti2012_test_pipeline = [
    dict(type='mcjepa_mm.LoadFlowPair'),
    dict(type='mcjepa_mm.LoadFlowAnnotations'),
    dict(type='mcjepa_mm.PackFlow'),
]

kitti2012_train_dataloader = dict(
    batch_size=4,
    num_workers=4,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='mcjepa_mm.BadSampleGuard',
        max_bad=10,
        dataset=dict(
            type='mcjepa_mm.KITTI2012',
            data_root='data/kitti2012',
            pipeline=kitti2012_train_pipeline,
        ),
    ),
)

kitti2012_test_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mcjepa_mm.KITTI2012',
        data_root='data/kitti2012',
        pipeline=kitti2012_test_pipeline,
    ),
)
