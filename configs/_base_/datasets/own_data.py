# Your own images and videos, no labels:
#   MCJEPA_IMAGES=/path/to/images MCJEPA_VIDEOS=/path/to/videos
# Images are found at any depth. Videos likewise, and folders of frames.
_base_ = './vicreg_views.py'

# Not by mmengine's braces with a dollar: they paste the path into this text,
# comments too, where a quote or a backslash in it means something else. Behind
# _base_: mmengine takes an import before it for a config of another kind.
import os  # noqa: E402

content_train_dataloader = dict(
    batch_size=32,
    num_workers=2,
    persistent_workers=True,
    pin_memory=True,
    drop_last=True,
    collate_fn=dict(type='default_collate'),
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='mcjepa_mm.BadSampleGuard',
        max_bad=10,
        dataset=dict(
            type='mcjepa_mm.UnlabelledImages',
            data_root=os.environ.get('MCJEPA_IMAGES', 'data/images'),
            pipeline={{_base_.vicreg_pipeline}},
        ),
    ),
)

# A short side of 288 fits any video to the crop; the crop is a multiple of
# the largest stride, 64.
motion_train_dataloader = dict(
    batch_size=4,
    num_workers=2,
    persistent_workers=True,
    pin_memory=True,
    drop_last=True,
    collate_fn=dict(type='default_collate'),
    # above 1: faster on videos, see docs/data.md
    sampler=dict(type='mcjepa_mm.FixedLengthSampler', pairs_per_seek=1),
    dataset=dict(
        type='mcjepa_mm.BadSampleGuard',
        max_bad=10,
        dataset=dict(
            type='mcjepa_mm.FramePairs',
            data_root=os.environ.get('MCJEPA_VIDEOS', 'data/videos'),
            frame_gap=1,
            pipeline=[
                dict(type='mcjepa_mm.ResizePair', short_side=288),
                # up to 32 pixels apart: not the paper's, see docs/recipe.md
                dict(
                    type='mcjepa_mm.RandomCropPair',
                    crop_size=(256, 256),
                    max_offset=32,
                ),
                dict(type='mcjepa_mm.RandomFlipPair', horizontal=0.5),
                dict(type='mcjepa_mm.PackViews'),
            ],
        ),
    ),
)
