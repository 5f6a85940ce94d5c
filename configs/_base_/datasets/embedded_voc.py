# The embedded world in the layout of Pascal VOC 2012 aug, with its own
# classes:
#   mim run mcjepa_mm export_embedded_world voc2012_aug data/embedded_voc \
#       --num-scenes 200
data_root = 'data/embedded_voc/VOCdevkit/VOC2012'
metainfo = dict(
    classes=(
        'background',
        'striped disc',
        'checked square',
        'spotted triangle',
        'banded star',
        'sector ring',
        'gridded cross',
        'zigzag heart',
        'spiral hexagon',
        'brick crescent',
        'scaled flower',
    ),
    # Pascal VOC's colours
    palette=(
        (0, 0, 0),
        (128, 0, 0),
        (0, 128, 0),
        (128, 128, 0),
        (0, 0, 128),
        (128, 0, 128),
        (0, 128, 128),
        (128, 128, 128),
        (64, 0, 0),
        (192, 0, 0),
        (64, 128, 0),
    ),
)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='RandomCrop', crop_size=(128, 128)),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]
train_set = dict(
    type='BaseSegDataset',
    data_root=data_root,
    data_prefix=dict(
        img_path='JPEGImages', seg_map_path='SegmentationClassAug'
    ),
    ann_file='ImageSets/Segmentation/trainaug.txt',
    metainfo=metainfo,
    pipeline=train_pipeline,
)
val_set = dict(
    type='BaseSegDataset',
    data_root=data_root,
    data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
    ann_file='ImageSets/Segmentation/val.txt',
    metainfo=metainfo,
    pipeline=test_pipeline,
)
train_dataloader = dict(
    batch_size=8,
    num_workers=0,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=train_set,
)
val_dataloader = dict(
    batch_size=1,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=val_set,
)
test_dataloader = val_dataloader
val_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator
