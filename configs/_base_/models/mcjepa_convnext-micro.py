# MC-JEPA small enough for two CPU cores and the embedded world: 1.2 M
# parameters in the encoder. Where it differs from the paper's numbers, it is
# because the world is small: 800 steps, not hundreds of thousands.
_base_ = './mcjepa_convnext-tiny.py'

model = dict(
    backbone=dict(
        arch=dict(
            _delete_=True, depths=(1, 1, 2, 1), channels=(48, 96, 160, 224)
        )
    ),
    heads=dict(
        content=dict(
            # A batch of 32 says little about the covariance of many
            # dimensions; with 512 the term alone holds the std below 0.6.
            expander_channels=(512, 512, 128),
            # The std settles near 25 / (4 * invariance * (1 - correlation of
            # the views)), below 0.4 at 25 as long as little is learnt.
            vicreg=dict(invariance=6.0),
            # Only the ratio to motion's weight counts. The paper's is 10 to
            # 1 over hundreds of epochs. At 0.03 kNN ended 13 points lower,
            # at 0.3 flow was learnt much more slowly (docs/recipe.md).
            loss_weight=0.1,
        ),
        motion=dict(
            loss_weight=1.0,
            decoder=dict(
                # Most of the error is at outlines and in what they hide.
                # Ending at stride 4, as PWC-Net does, left 0.29 of the zero
                # flow's after 500 steps of motion alone with 6 pairs, stride
                # 2 left 0.21 in twice the time.
                finest=0,
                # Shallow estimators learn this world in far fewer steps:
                # (64, 64, 48, 32) took more than twice as many.
                hidden=(48, 32, 24),
                radius=3,
                # Found to learn in half as many steps as 'mean' here.
                volume_scale='sqrt',
                # Takes a quarter off the error of the default job's flow, and
                # half on Middlebury (docs/recipe.md).
                propagation=(8, 4),
            ),
            # Without it the flow does not use levels 3 to 5 and they get no
            # gradient of it (docs/recipe.md).
            rec_levels=(0.0, 0.0, 1.0, 1.0, 1.0, 0.0),
            losses=dict(
                # With the paper's weights (1 and 0.2) the features shrink to
                # nothing before flow is learnt: L_vc is too small beside
                # them, at this batch.
                reg=dict(loss_weight=0.01),
                cycle=dict(loss_weight=0.002),
                smooth=dict(loss_weight=20.0),
                # As much less than the paper's as reg is: more makes all
                # directions of the coarse levels alike, and kNN suffers. The
                # mean of a level, which it does not see, would otherwise
                # come to hold nearly all of levels 3 to 5.
                vc=dict(
                    loss_weight=0.01,
                    mean=(0.0, 0.0, 10.0, 10.0, 10.0, 10.0),
                    max_samples=2048,
                ),
            ),
        ),
    ),
)
