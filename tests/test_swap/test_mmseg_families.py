"""Every config family that mmsegmentation ships can be swapped."""

from pathlib import Path

import mmseg
import pytest
import torch

from mcjepa_mm.models.backbones import MCJEPAConvNeXt, read_backbone
from mcjepa_mm.swap import SwapError, swap_backbone

CONFIGS = Path(mmseg.__file__).parent / '.mim/configs'
CITY = 'cityscapes-512x1024'
# One config of every family that is not trained below.
SWAPPED = [
    f'ann/ann_r50-d8_4xb2-40k_{CITY}',
    f'apcnet/apcnet_r50-d8_4xb2-40k_{CITY}',
    f'ccnet/ccnet_r50-d8_4xb2-40k_{CITY}',
    f'danet/danet_r50-d8_4xb2-40k_{CITY}',
    f'deeplabv3/deeplabv3_r101-d16-mg124_4xb2-40k_{CITY}',
    f'deeplabv3plus/deeplabv3plus_r50-d8_4xb2-40k_{CITY}',
    f'dmnet/dmnet_r50-d8_4xb2-40k_{CITY}',
    f'dnlnet/dnl_r50-d8_4xb2-40k_{CITY}',
    f'emanet/emanet_r50-d8_4xb2-80k_{CITY}',
    f'encnet/encnet_r50-d8_4xb2-40k_{CITY}',
    f'fcn/fcn_r50-d8_4xb2-40k_{CITY}',
    f'gcnet/gcnet_r50-d8_4xb2-40k_{CITY}',
    f'hrnet/fcn_hr18_4xb2-160k_{CITY}',
    f'isanet/isanet_r50-d8_4xb2-40k_{CITY}',
    'maskformer/maskformer_r50-d32_8xb2-160k_ade20k-512x512',
    f'mobilenet_v2/mobilenet-v2-d8_fcn_4xb2-80k_{CITY}',
    f'nonlocal_net/nonlocal_r50-d8_4xb2-40k_{CITY}',
    f'ocrnet/ocrnet_hr18_4xb2-160k_{CITY}',
    f'resnest/resnest_s101-d8_fcn_4xb2-80k_{CITY}',
    f'upernet/upernet_r50_4xb2-40k_{CITY}',
    # transformers
    'beit/beit-base_upernet_8xb2-160k_ade20k-640x640',
    'mae/mae-base_upernet_8xb2-amp-160k_ade20k-512x512',
    'poolformer/fpn_poolformer_s12_8xb4-40k_ade20k-512x512',
    'segformer/segformer_mit-b0_8xb2-160k_ade20k-512x512',
    'segmenter/segmenter_vit-t_mask_8xb1-160k_ade20k-512x512',
    'segnext/segnext_mscan-t_1xb16-adamw-160k_ade20k-512x512',
    'swin/swin-tiny-patch4-window7-in1k-pre_upernet_8xb2-160k_ade20k-512x512',
    'twins/twins_pcpvt-s_fpn_fpnhead_8xb4-80k_ade20k-512x512',
    'vit/vit_deit-s16_mln_upernet_8xb2-160k_ade20k-512x512',
    # it needs a package for its data set, and is a DeepLabV3
    'dsdl/cityscapes',
]
# One of each kind: wrappers, a neck, heads in a head, in a cascade and of
# another project, layer decay, large windows, another data set.
TRAINED = [
    'bisenetv1/bisenetv1_r18-d32_4xb4-160k_cityscapes-1024x1024',
    'convnext/convnext-tiny_upernet_8xb2-amp-160k_ade20k-512x512',
    f'fastfcn/fastfcn_r50-d32_jpu_enc_4xb2-80k_{CITY}',
    'knet/knet-s3_r50-d8_deeplabv3_8xb2-adamw-80k_ade20k-512x512',
    'mask2former/mask2former_r50_8xb2-160k_ade20k-512x512',
    f'mobilenet_v3/mobilenet-v3-d8_lraspp_4xb4-320k_{CITY}',
    f'point_rend/pointrend_r50_4xb2-80k_{CITY}',
    'pspnet/pspnet_r50-d8_4xb4-20k_voc12aug-512x512',
    f'sem_fpn/fpn_r50_4xb2-80k_{CITY}',
    f'stdc/stdc1_4xb12-80k_{CITY}',
]
CANNOT = {
    'bisenetv2/bisenetv2_fcn_4xb4-160k_cityscapes-1024x1024': 'BiSeNetV2',
    'cgnet/cgnet_fcn_4xb4-60k_cityscapes-680x680': 'CGNet',
    'ddrnet/ddrnet_23-slim_in1k-pre_2xb6-120k_cityscapes-1024x1024': 'DDRNet',
    f'erfnet/erfnet_fcn_4xb4-160k_{CITY}': 'ERFNet',
    'fastscnn/fast_scnn_8xb4-160k_cityscapes-512x1024': 'FastSCNN',
    'icnet/icnet_r50-d8_4xb2-80k_cityscapes-832x832': 'ICNet',
    'pidnet/pidnet-s_2xb6-120k_1024x1024-cityscapes': 'PIDNet',
    'san/san-vit-b16_coco-stuff164k-640x640': 'backbone',
    f'unet/unet-s5-d16_fcn_4xb4-160k_{CITY}': 'UNet',
    'vpd/vpd_sd_4xb8-25k_nyu-480x480': 'DepthEstimator',
}
# Their backbones have to be run to see it.
CANNOT_SEEN = {
    # mmcv-lite has not its operator
    f'psanet/psanet_r50-d8_4xb2-40k_{CITY}': 'psamask_forward',
    'dpt/dpt_vit-b16_8xb2-160k_ade20k-512x512': 'maps',
    'setr/setr_vit-l_naive_8xb1-80k_cityscapes-768x768': '16, 16, 16, 16',
    'vit/vit_deit-s16_upernet_8xb2-80k_ade20k-512x512': '16, 16, 16, 16',
}


def test_every_family_is_here():
    listed = [*SWAPPED, *TRAINED, *CANNOT, *CANNOT_SEEN]
    shipped = {path.name for path in CONFIGS.iterdir() if path.is_dir()}
    assert {name.split('/')[0] for name in listed} == shipped - {'_base_'}


@pytest.mark.parametrize(
    'name, message',
    [
        *CANNOT.items(),
        *(
            pytest.param(*item, marks=pytest.mark.slow)
            for item in CANNOT_SEEN.items()
        ),
    ],
)
def test_says_why_it_cannot(name, message, checkpoint, tmp_path):
    with pytest.raises(SwapError, match=message):
        swap_backbone(
            f'mmseg::{name}.py',
            checkpoint=checkpoint,
            out=tmp_path / 'swapped.py',
        )
    assert not list(tmp_path.iterdir())


def check_report(report) -> None:
    assert report.rows
    for row in report.rows:
        assert [m.stride for m in row.old] == [m.stride for m in row.new]
        assert row.part != 'neck' or row.old != row.new


@pytest.mark.slow
@pytest.mark.parametrize('name', TRAINED)
def test_swaps_and_trains(name, checkpoint, two_steps, tmp_path):
    out = tmp_path / 'swapped.py'
    report = swap_backbone(f'mmseg::{name}.py', checkpoint=checkpoint, out=out)
    check_report(report)
    # LR-ASPP pools over windows of 49 cells of stride 8
    size = (448, 448) if 'lraspp' in name else (64, 128)
    model, optimizer = two_steps(out, size)
    (encoder,) = (m for m in model.modules() if isinstance(m, MCJEPAConvNeXt))
    # All of it had gradients, as the optimizer's averages show: a warm-up's
    # first rates can be lost in the rounding of the weights themselves.
    for key, parameter in encoder.named_parameters():
        assert any(
            torch.is_tensor(average) and average.dim() and average.any()
            for average in optimizer.state[parameter].values()
        ), key
    # It started from the checkpoint.
    weights = read_backbone(checkpoint).state_dict
    key = 'stem.0.0.weight'
    alike = torch.cosine_similarity(
        encoder.state_dict()[key].flatten(), weights[key].flatten(), dim=0
    )
    assert alike > 0.9


@pytest.mark.slow
@pytest.mark.parametrize('name', SWAPPED)
def test_swaps(name, checkpoint, tmp_path):
    check_report(
        swap_backbone(
            f'mmseg::{name}.py', checkpoint=checkpoint, out=tmp_path / 's.py'
        )
    )
