"""Classifiers, detectors and flow estimators."""

import pytest
from mmengine.config import Config

from mcjepa_mm.swap import SwapError, swap_backbone


@pytest.fixture
def swap(checkpoint, tmp_path):
    def run(name):
        out = tmp_path / 'swapped.py'
        report = swap_backbone(name, checkpoint=checkpoint, out=out)
        for row in report.rows:
            assert [m.stride for m in row.old] == [m.stride for m in row.new]
        return Config.fromfile(out), report

    return run


def test_resnet_classifier(swap):
    cfg, _ = swap('mmpretrain::resnet50_8xb32_in1k')
    assert cfg.model.backbone.out_indices == (5,)
    assert cfg.model.backbone.strides == (2, 2, 2, 2, 2, 1)
    assert cfg.model.head.in_channels == 32


def test_classifier_that_pools_by_itself(swap):
    cfg, report = swap('mmpretrain::convnext-tiny_32xb128_in1k')
    assert cfg.model.neck.type == 'GlobalAveragePooling'
    assert cfg.model.head.in_channels == 32
    assert 'pooled by itself' in report.notes[0]


@pytest.mark.slow
def test_classifier_with_windows(swap):
    """Swin's windows of 7 want maps of at least 7."""
    cfg, _ = swap('mmpretrain::swin-tiny_16xb64_in1k')
    assert cfg.model.backbone.out_indices == (5,)


@pytest.mark.slow
def test_classifier_with_a_mixing_neck(swap):
    cfg, _ = swap('mmpretrain::hrnet-w18_4xb32_in1k')
    assert list(cfg.model.neck[0].in_channels) == [8, 16, 24, 32]
    assert cfg.model.neck[1].type == 'GlobalAveragePooling'
    assert cfg.model.head.in_channels == 2048


@pytest.mark.parametrize(
    'name, message',
    [
        ('vit-base-p16_32xb128-mae_in1k', 'class token'),
        ('mocov3_resnet50_8xb512-amp-coslr-100e_in1k', 'MoCoV3'),
    ],
)
def test_what_is_no_classifier_of_maps(name, message, swap):
    with pytest.raises(SwapError, match=message):
        swap(f'mmpretrain::{name}')


@pytest.mark.slow
@pytest.mark.parametrize(
    'name, channels',
    [
        ('faster-rcnn_r50_fpn_1x_coco', [8, 16, 24, 32]),
        ('retinanet_r50_fpn_1x_coco', [8, 16, 24, 32]),
        ('detr_r50_8xb2-150e_coco', [32]),
        ('yolov3_d53_8xb8-320-273e_coco', [32, 24, 16]),
        ('mask-rcnn_swin-t-p4-w7_fpn_1x_coco', [8, 16, 24, 32]),
    ],
)
def test_detectors_with_a_neck(name, channels, swap):
    pytest.importorskip('mmdet')
    cfg, _ = swap(f'mmdet::{name}')
    assert list(cfg.model.neck.in_channels) == channels


@pytest.mark.slow
def test_folder_that_mmengine_cannot_name(swap):
    """It finds no folder with a plus in a package, so the path is named."""
    pytest.importorskip('mmdet')
    name = 'faster-rcnn_r50_fpn_gn-ws-all_1x_coco'
    cfg, _ = swap(f'mmdet::{name}')
    assert cfg.model.neck.in_channels == [8, 16, 24, 32]


def test_detector_without_a_neck(swap):
    pytest.importorskip('mmdet')
    cfg, _ = swap('mmdet::mask2former_r50_8xb2-lsj-50e_coco')
    assert cfg.model.panoptic_head.in_channels == [8, 16, 24, 32]


def test_detector_that_keeps_a_stage_of_its_resnet(swap):
    pytest.importorskip('mmdet')
    with pytest.raises(SwapError, match='ResNet'):
        swap('mmdet::faster-rcnn_r50-caffe_c4-1x_coco')


def test_pwcnet(swap):
    """81 displacements, the flow and two features on the way down."""
    cfg, _ = swap('mmflow::pwcnet_8xb1_slong_flyingchairs-384x448')
    decoder = cfg.model.decoder
    # PWC-Net's own: 81; 81 + 128 + 4; 81 + 96 + 4; ... 81 + 32 + 4
    assert decoder.in_channels == dict(
        level6=81, level5=81 + 24 + 4, level4=81 + 16 + 4, level3=81 + 8 + 4,
        level2=81 + 4 + 4,
    )  # fmt: skip
    assert decoder.post_processor.in_channels == 81 + 4 + 4 + 448
    preprocessor = cfg.model.data_preprocessor
    assert preprocessor.mean == [123.675, 116.28, 103.53]
    # 0.04 of the image's range, which is 4.44 of these units
    assert preprocessor.sigma_range == pytest.approx((0, 0.178), abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
    'name',
    [
        'raft_8xb2_100k_flyingchairs',
        'gma_8xb2_120k_flyingchairs',
    ],
)
def test_raft(name, swap):
    cfg, _ = swap(f'mmflow::{name}-368x496')
    for encoder in (cfg.model.encoder, cfg.model.cxt_encoder):
        assert encoder.type == 'mcjepa_mm.MapEncoder'
        assert encoder.out_channels == 256
    assert cfg.find_unused_parameters is True


def test_flow_estimators_of_their_own_encoder(swap):
    with pytest.raises(SwapError, match='LiteFlowNet'):
        swap('mmflow::liteflownet-ft_4xb1_500k_kitti-320x896')
