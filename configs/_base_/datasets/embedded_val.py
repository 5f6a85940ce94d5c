# Validation on the embedded world: needs no file, tells how flow, embeddings
# and the following of objects fare, also while training on other data.
content_val_dataloader = dict(
    batch_size=50,
    num_workers=1,
    persistent_workers=True,
    collate_fn=dict(type='default_collate'),
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mcjepa_mm.EmbeddedImages',
        length=1000,
        split='val',
        size=(96, 96),
        pipeline=[
            dict(type='mmpretrain.NumpyToPIL', to_rgb=True),
            # The size of a training view. An encoder of stride 64 would not
            # see the border of 96 pixels.
            dict(
                type='mmpretrain.torchvision/Resize',
                size=64,
                interpolation='bicubic',
            ),
            dict(type='mmpretrain.PILToNumpy'),
            dict(type='mcjepa_mm.PackViews'),
        ],
    ),
)

motion_val_dataloader = dict(
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    collate_fn=dict(type='default_collate'),
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mcjepa_mm.EmbeddedPairs',
        length=64,
        split='val',
        size=(128, 128),
    ),
)

# Few: a clip costs as much as its frames in pairs, and the figure is there to
# be watched, not to be published.
propagation_val_dataloader = dict(
    batch_size=2,
    num_workers=1,
    persistent_workers=True,
    collate_fn=dict(type='default_collate'),
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mcjepa_mm.EmbeddedClips',
        length=8,
        num_frames=8,
        split='val',
        size=(128, 128),
    ),
)

val_dataloader = dict(
    motion=motion_val_dataloader,
    content=content_val_dataloader,
    propagation=propagation_val_dataloader,
)
val_evaluator = dict(
    motion=dict(type='FlowEPE'),
    content=dict(type='EmbeddingQuality'),
    propagation=dict(type='DAVISMetric', table=False),
)
val_cfg = dict(type='MultiTaskValLoop')
test_dataloader = val_dataloader
test_evaluator = val_evaluator
test_cfg = dict(type='MultiTaskTestLoop')
