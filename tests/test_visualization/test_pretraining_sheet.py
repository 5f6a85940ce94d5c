import numpy as np
import pytest
import torch
from toy_pretraining import ToyPairs, ToyPretrainer

from mcjepa_mm.visualization import draw_pretraining_sheet
from mcjepa_mm.visualization.pretraining_sheet import warp_to_first


def samples(length=2, **kwargs):
    dataset = ToyPairs(length, **kwargs)
    return [dataset[i] for i in range(length)]


def test_warp_by_loops():
    rng = np.random.default_rng(0)
    frame = rng.integers(0, 256, (5, 7, 3), dtype=np.uint8)
    flow = rng.integers(-3, 4, (2, 5, 7)).astype(float)
    warped = warp_to_first(frame, flow)
    for y in range(5):
        for x in range(7):
            u, v = int(x + flow[0, y, x]), int(y + flow[1, y, x])
            inside = 0 <= u < 7 and 0 <= v < 5
            expected = frame[v, u] if inside else (128, 128, 128)
            assert (warped[y, x] == expected).all()


def test_sheet_changes_neither_model_nor_samples():
    torch.manual_seed(0)
    model = ToyPretrainer().train()
    model.backbone.norm.eval()
    modes = {n: m.training for n, m in model.named_modules()}
    state = {k: v.clone() for k, v in model.state_dict().items()}
    pairs = samples()
    sheet = draw_pretraining_sheet(model, pairs, heading='toy')
    assert sheet.dtype == np.uint8 and sheet.shape[2] == 3
    # eval mode: no dropout
    again = draw_pretraining_sheet(model, pairs, heading='toy')
    assert (sheet == again).all()
    assert {n: m.training for n, m in model.named_modules()} == modes
    for name, value in model.state_dict().items():
        assert torch.equal(value, state[name]), name
    assert 'pred_flow_fw' not in pairs[0]['data_samples']


def test_truth_is_a_column_only_where_known():
    model = ToyPretrainer()
    known, unknown = samples(2), samples(2, truth=False)
    seven = draw_pretraining_sheet(model, known).shape[1]
    assert (
        draw_pretraining_sheet(model, [known[0], unknown[1]]).shape[1] == seven
    )
    # 8 px of margin, then equal columns; neither flow nor occlusion is known
    five = draw_pretraining_sheet(model, unknown).shape[1]
    assert (seven - 8) * 5 == (five - 8) * 7
    # the occlusion is drawn or not if told to
    six = draw_pretraining_sheet(model, unknown, occlusion=True).shape[1]
    assert (seven - 8) * 6 == (six - 8) * 7
    assert (
        draw_pretraining_sheet(model, known, occlusion=False).shape[1] == six
    )


def test_true_flow_has_its_colour():
    # (4, -3) px is also the scale's end; the share of the area is one tile
    sheet = draw_pretraining_sheet(ToyPretrainer(), samples(1))
    from mcjepa_mm.visualization import flow_to_rgb

    colour = flow_to_rgb(np.array([4.0, -3.0]).reshape(2, 1, 1), 5.0)[0, 0]
    assert (sheet == colour).all(axis=-1).sum() >= 192 * 128


def test_pairs_of_different_sizes():
    pairs = samples(1) + samples(1, size=(64, 40))
    assert draw_pretraining_sheet(ToyPretrainer(), pairs).ndim == 3


@pytest.mark.parametrize(
    'kwargs, match',
    [
        (dict(feature_level=3), 'feature_level is 3'),
        (dict(feature_level=-4), 'feature_level is -4'),
    ],
)
def test_refuses_level_and_restores_mode(kwargs, match):
    model = ToyPretrainer().train()
    with pytest.raises(ValueError, match=match):
        draw_pretraining_sheet(model, samples(1), **kwargs)
    assert model.training


def test_refuses_samples():
    with pytest.raises(ValueError, match='sample'):
        draw_pretraining_sheet(ToyPretrainer(), [])
    single = samples(1)
    single[0]['inputs'] = single[0]['inputs'][:1]
    with pytest.raises(ValueError, match=r'\(2, 3, H, W\)'):
        draw_pretraining_sheet(ToyPretrainer(), single)
