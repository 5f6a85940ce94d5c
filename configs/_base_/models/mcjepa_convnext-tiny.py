# MC-JEPA on ConvNeXt-T. Marks: P and p are the paper's, T a third-party
# re-implementation's, I inferred, ? open and chosen here.
img_norm = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])

model = dict(
    type='MultiTaskPretrainer',
    backbone=dict(
        type='MCJEPAConvNeXt',
        arch='tiny',  # P
        # VICRegL's ConvNeXt recipe, by the same first author, has none.
        layer_scale_init_value=0.0,
        # ?: VICRegL has 0.1; here it would drop different blocks in the two
        # frames whose features are compared.
        drop_path_rate=0.0,
    ),
    heads=dict(
        content=dict(
            type='VICRegHead',
            expander_channels=(8192, 8192, 8192),  # P
            norm='BN',
            vicreg=dict(  # T, VICReg
                type='VICRegLoss',
                invariance=25.0,
                variance=25.0,
                covariance=1.0,
            ),
        ),
        motion=dict(
            type='FlowHead',
            loss_weight=0.1,  # P; whether the terms include it already: ?
            decoder=dict(
                type='FlowDecoder',
                finest=0,  # ?
                radius=4,  # ?, T
                hidden=(128, 128, 96, 64, 32),  # ?
                max_flow=128.0,  # P
            ),
            losses=dict(
                rec=dict(type='PhotometricLoss', l1=1.0, l2=1.0, ssim=1.0),
                reg=dict(type='FeatureRegressionLoss', loss_weight=1.0),
                smooth=dict(
                    type='SmoothnessLoss', order=2, edge=10.0, loss_weight=75.0
                ),
                cycle=dict(type='CycleLoss', loss_weight=0.2),
                vc=dict(  # T, fine to coarse here
                    type='FeatureVCLoss',
                    variance=(0.0001, 0.001, 0.01, 0.01, 0.01, 0.01),
                    covariance=(0.0, 0.0, 0.0, 0.001, 0.04, 0.04),
                ),
            ),
            occlusion='forward_backward',  # p
            bidirectional=True,  # ?
        ),
        # Validated, never trained. All levels, since which of them follows
        # objects best is open (?).
        propagation=dict(type='PropagationHead', levels='all', stride=4),
    ),
    data_preprocessor=dict(
        type='MultiTaskDataPreprocessor',
        tasks=dict(
            content=dict(
                type='ViewsDataPreprocessor', non_blocking=True, **img_norm
            ),
            motion=dict(
                type='ViewsDataPreprocessor', non_blocking=True, **img_norm
            ),
            propagation=dict(
                type='ViewsDataPreprocessor', non_blocking=True, **img_norm
            ),
        ),
    ),
)
