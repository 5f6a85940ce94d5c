# The paper's data: ImageNet-1k for content, frame pairs of the optical flow
# data sets for motion. Batches are those of one of 8 GPUs.
#
# data/imagenet      train/<class>/*.JPEG
# the frame pairs    flow_benchmark_pairs.py and docs/flow_data.md
_base_ = ['./vicreg_views.py', './flow_benchmark_pairs.py']

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
