# FlyingChairs with labels: 22 232 pairs of 384 x 512 to train on, 640 to
# validate. Unpack FlyingChairs.zip and FlyingChairs_train_val.txt there.
flyingchairs_train_pipeline = [
    dict(type='mcjepa_mm.LoadFlowPair'),
    dict(type='mcjepa_mm.LoadFlowAnnotations', with_masks=False),
    # As mmflow's RAFT.
    dict(
        type='mmflow.ColorJitter',
        asymmetric_prob=0.2,
        brightness=0.4,
        contrast=0.4,
        saturation=0.4,
        hue=0.5 / 3.14,
    ),
    # As mmflow crops for PWC-Net, in multiples of 64.
    dict(type='mmflow.RandomCrop', crop_size=(384, 448)),
    dict(type='mmflow.RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='mmflow.RandomFlip', prob=0.1, direction='vertical'),
    dict(type='mmflow.Validation', max_flow=1000.0),
    dict(type='mcjepa_mm.PackFlow'),
]

flyingchairs_test_pipeline = [
    dict(type='mcjepa_mm.LoadFlowPair'),
    dict(type='mcjepa_mm.LoadFlowAnnotations'),
    dict(type='mcjepa_mm.PackFlow'),
]

flyingchairs_train_dataloader = dict(
    batch_size=4,
    num_workers=4,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='mcjepa_mm.BadSampleGuard',
        max_bad=10,
        dataset=dict(
            type='mcjepa_mm.FlyingChairs',
            data_root='data/flyingchairs',
            pipeline=flyingchairs_train_pipeline,
        ),
    ),
)

flyingchairs_test_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mcjepa_mm.FlyingChairs',
        data_root='data/flyingchairs',
        test_mode=True,
        pipeline=flyingchairs_test_pipeline,
    ),
)
