import numpy as np
import pytest
import torch
from benchmarks.plain_propagation import plain_masks
from mmengine.structures import BaseDataElement, PixelData

from mcjepa_mm.datasets import EmbeddedWorld
from mcjepa_mm.models.propagation import write_whitening
from mcjepa_mm.registry import MODELS

PREPROCESSOR = dict(
    type='mcjepa_mm.ViewsDataPreprocessor',
    mean=(123.675, 116.28, 103.53),
    std=(58.395, 57.12, 57.375),
)
BACKBONES = dict(
    ours=dict(type='mcjepa_mm.MCJEPAConvNeXt', arch='atto'),
    mmpretrain=dict(type='mmpretrain.ResNet', depth=18, out_indices=(0, 1, 2)),
    timm=dict(
        type='mmpretrain.TIMMBackbone',
        model_name='resnet10t',
        features_only=True,
        pretrained=False,
    ),
)


def build(backbone='ours', **kwargs):
    torch.manual_seed(0)
    return MODELS.build(
        dict(
            type='mcjepa_mm.LabelPropagation',
            backbone=BACKBONES[backbone],
            data_preprocessor=PREPROCESSOR,
            **kwargs,
        )
    ).eval()


@pytest.fixture(scope='module')
def clip():
    """Function: one batch for each frame of a scene at 64 x 96 pixels."""
    scene = EmbeddedWorld((64, 96), num_objects=(3, 3)).scene(3)

    def make(times=range(5), sequence='scene'):
        batches = []
        for index, t in enumerate(times):
            mask = torch.from_numpy(scene.instance_mask(t))
            sample = BaseDataElement(
                metainfo=dict(sequence=sequence, frame_index=index)
            )
            if index == 0:
                sample.gt_objects = PixelData(data=mask[None].clone())
            frame = torch.from_numpy(scene.frame(t)).permute(2, 0, 1)
            batches.append(dict(inputs=[frame], data_samples=[sample]))
        return batches

    return make


def follow(model, batches):
    return np.stack(
        [
            sample.pred_objects.data[0].numpy()
            for batch in batches
            for sample in model.test_step(batch)
        ]
    )


@pytest.mark.parametrize('backbone', BACKBONES)
def test_follows_by_any_backbone(clip, backbone):
    model = build(backbone, propagator=dict(radius=4))
    masks = follow(model, clip())
    assert masks.shape == (5, 64, 96) and masks.dtype == np.uint8
    with torch.no_grad():
        feats = [
            model(model.data_preprocessor(batch)['inputs'])[0]
            for batch in clip()
        ]
    assert feats[0].shape[:2] == (8, 12)
    plain = plain_masks(feats, masks[0], (64, 96), radius=4)
    np.testing.assert_array_equal(masks[1:], plain)
    assert len(np.unique(masks[1:])) > 1


def test_each_frame_is_encoded_once(clip):
    model = build()
    counts = []
    model.backbone.register_forward_hook(
        lambda module, args, out: counts.append(len(args[0]))
    )
    follow(model, clip())
    assert counts == [1] * 5


def test_a_batch_of_frames_is_the_same(clip):
    model = build()
    single = follow(model, clip())
    batches = clip()
    joint = [
        {key: a[key] + b[key] for key in a}
        for a, b in zip(batches[:4:2], batches[1:4:2])
    ]
    np.testing.assert_array_equal(single[:4], follow(model, joint))


def test_first_mask_is_returned_without_its_undecided_pixels(clip):
    batches = clip(range(1))
    truth = batches[0]['data_samples'][0].gt_objects.data
    truth[0, 20:30, 20:30] = 255
    mask = follow(build(), batches)[0]
    expected = np.where(truth[0] == 255, 0, truth[0])
    np.testing.assert_array_equal(mask, expected)


def test_bfloat16_keeps_features_in_16_bits(clip):
    exact, half = follow(build(), clip()), build(dtype='bfloat16')
    feat = half(half.data_preprocessor(clip()[0])['inputs'])
    assert feat.dtype == torch.bfloat16
    assert (follow(half, clip()) == exact).mean() > 0.95


def test_frames_out_of_order_are_refused(clip):
    model = build()
    first, second, third, *_ = clip()
    with pytest.raises(ValueError, match='after None.*SequenceSampler'):
        model.test_step(second)
    model.test_step(first)
    with pytest.raises(ValueError, match="frame 2 of 'scene' after"):
        model.test_step(third)
    other = clip(sequence='other')
    with pytest.raises(ValueError, match="frame 1 of 'other' after"):
        model.test_step(other[1])
    model.test_step(second)


def test_loads_the_backbone_of_a_pretraining():
    model, other = build(), build()
    for parameter in other.backbone.parameters():
        parameter.data.uniform_()
    state = {
        f'backbone.{k}': v for k, v in other.backbone.state_dict().items()
    }
    model.load_state_dict(
        state | {'heads.motion.weight': torch.ones(1)}, strict=False
    )
    for a, b in zip(model.backbone.parameters(), other.backbone.parameters()):
        torch.testing.assert_close(a, b)


def test_a_checkpoint_that_leaves_weights_random_is_refused():
    model = build('mmpretrain')
    state = model.state_dict()
    del state['backbone.layer1.0.conv1.weight']
    with pytest.raises(ValueError, match='lacks 1 tensors.*layer1.0.conv1'):
        model.load_state_dict(state, strict=False)
    foreign = {f'encoder.{k}': v for k, v in state.items()}
    with pytest.raises(ValueError, match='begin with "backbone."'):
        model.load_state_dict(foreign, strict=False)


def test_bad_settings():
    with pytest.raises(ValueError, match="'float16'"):
        build(dtype='float16')
    model = build()
    with pytest.raises(NotImplementedError, match='no weights'):
        model(torch.zeros(1, 1, 3, 64, 64), mode='loss')


def test_whitening_by_the_first_frame(clip):
    """Of each video, whatever a batch holds."""
    model = build(levels=(0, 1), stride=4, whiten='first_frame')
    masks = [follow(model, clip()), follow(model, clip(range(4, -1, -1)))]
    assert (masks[0] != follow(build(levels=(0, 1), stride=4), clip())).any()
    batches = [
        dict(
            inputs=a['inputs'] + b['inputs'],
            data_samples=a['data_samples'] + b['data_samples'],
        )
        for a, b in [(clip()[3], clip()[4])]
    ]
    joint = follow(model, clip()[:3] + batches)
    np.testing.assert_array_equal(joint, masks[0])
    # the last of one video and the first of another in one batch
    first, *others = clip(range(4, -1, -1), 'back')
    both = {key: batches[0][key][1:] + first[key] for key in first}
    follow(model, clip()[:4])
    found = np.concatenate([follow(model, [both]), follow(model, others)])
    np.testing.assert_array_equal(found[0], masks[0][4])
    np.testing.assert_array_equal(found[1:], masks[1])


def test_whitening_by_other_images(clip, tmp_path):
    model = build(levels=(0, 1), stride=4, shrinkage=0.01)
    images = [
        model.data_preprocessor(batch)['inputs'][:, 0] for batch in clip()
    ]
    path = tmp_path / 'whitening.pth'
    write_whitening(path, model.fit_whitening(images))
    again = build(levels=(0, 1), stride=4, whiten=path)
    # statistics are no weights: a checkpoint without them fills the model
    assert again.state_dict().keys() == build().state_dict().keys()
    np.testing.assert_array_equal(*(follow(x, clip()) for x in (model, again)))
    with pytest.raises(ValueError, match=r'channels, the whitening is of'):
        follow(build(whiten=path), clip())


def test_objects_that_begin_later(clip):
    """Only those named, whatever else the truth of their frame holds."""
    model, batches = build(), clip()
    truth = [batch['data_samples'][0].gt_objects.data for batch in clip()[:1]]
    first, later = 1, 2
    assert {first, later} < set(truth[0].unique().tolist())
    for index, new in enumerate([(first,), (), (later,), (), ()]):
        sample = batches[index]['data_samples'][0]
        sample.set_metainfo(dict(new_objects=new))
        sample.gt_objects = PixelData(data=truth[0].clone())
    masks = follow(model, batches)
    shown = [set(np.unique(mask)) for mask in masks]
    assert shown[0] == {0, first} and shown[1] <= {0, first}
    assert later in shown[2] and shown[3] <= {0, first, later}
    begun = truth[0][0].numpy() == later
    assert (masks[2][begun] == later).all()
