# FlyingThings3D with labels: frames of 540 x 960, both passes; training uses
# the left camera and every pair in both directions, as RAFT does.
flyingthings3d_train_pipeline = [
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
    # As mmflow crops, in multiples of 64.
    dict(type='mmflow.RandomCrop', crop_size=(384, 768)),
    dict(type='mmflow.RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='mmflow.RandomFlip', prob=0.1, direction='vertical'),
    dict(type='mmflow.Validation', max_flow=1000.0),
    dict(type='mcjepa_mm.PackFlow'),
]

flyingthings3d_test_pipeline = [
    dict(type='mcjepa_mm.LoadFlowPair'),
    dict(type='mcjepa_mm.LoadFlowAnnotations'),
    dict(type='mcjepa_mm.PackFlow'),
]

flyingthings3d_train_sets = [
    dict(
        type='mcjepa_mm.BadSampleGuard',
        max_bad=10,
        dataset=dict(
            type='mcjepa_mm.FlyingThings3D',
            data_root='data/flyingthings3d',
            pass_style='clean',
            scene='left',
            double=True,
            pipeline=flyingthings3d_train_pipeline,
        ),
    ),
    dict(
        type='mcjepa_mm.BadSampleGuard',
        max_bad=10,
        dataset=dict(
            type='mcjepa_mm.FlyingThings3D',
            data_root='data/flyingthings3d',
            pass_style='final',
            scene='left',
            double=True,
            pipeline=flyingthings3d_train_pipeline,
        ),
    ),
]

flyingthings3d_train_dataloader = dict(
    batch_size=4,
    num_workers=4,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='ConcatDataset', datasets=flyingthings3d_train_sets),
)

flyingthings3d_clean_test_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mcjepa_mm.FlyingThings3D',
        data_root='data/flyingthings3d',
        pass_style='clean',
        scene='left',
        test_mode=True,
        pipeline=flyingthings3d_test_pipeline,
    ),
)

flyingthings3d_final_test_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mcjepa_mm.FlyingThings3D',
        data_root='data/flyingthings3d',
        pass_style='final',
        scene='left',
        test_mode=True,
        pipeline=flyingthings3d_test_pipeline,
    ),
)
