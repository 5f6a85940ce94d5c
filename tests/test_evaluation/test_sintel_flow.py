import numpy as np
import pytest
from mmengine.evaluator import Evaluator

from mcjepa_mm.evaluation import SintelFlowMetric
from mcjepa_mm.registry import METRICS


def evaluate(*samples, metric=SintelFlowMetric):
    evaluator = Evaluator(metric())
    for sample in samples:
        evaluator.process([sample])
    return evaluator.evaluate(len(samples))


def test_by_hand(make_sample):
    # speeds 0, 10, 40, 50 pixels; errors 1, 2, 3, 4
    gt = [[[0, 6, 0, 30]], [[0, 8, -40, 40]]]
    pred = [[[1, 6, 0, 34]], [[0, 10, -43, 40]]]
    occlusion = [[[0, 1, 0, 0]]]
    sample = make_sample(gt_flow_fw=gt, pred_flow_fw=pred, gt_occ_fw=occlusion)
    assert evaluate(sample) == pytest.approx(
        {
            'EPE': 2.5,
            'EPE_matched': 8 / 3,
            'EPE_unmatched': 2,
            'EPE_s0-10': 1,
            'EPE_s10-40': 2.5,  # 10 and 40 belong to it
            'EPE_s40+': 4,
        }
    )


def test_groups_without_pixels_are_absent(make_sample):
    zero = np.zeros((2, 3, 4))
    sample = make_sample(gt_flow_fw=zero, pred_flow_fw=zero + 1)
    assert evaluate(sample) == pytest.approx(
        {'EPE': 2**0.5, 'EPE_s0-10': 2**0.5}
    )
    hidden = sample.clone()
    hidden.gt_occ_fw = make_sample(gt_occ_fw=np.ones((1, 3, 4))).gt_occ_fw
    assert set(evaluate(hidden)) == {'EPE', 'EPE_s0-10', 'EPE_unmatched'}


def test_equals_mmflow_on_one_batch(random_sample):
    from mmflow.evaluation.metrics import EndPointError

    samples = [random_sample(seed) for seed in range(3)]
    theirs = Evaluator(EndPointError())
    theirs.process(samples)
    ours = Evaluator(METRICS.build(dict(type='mcjepa_mm.SintelFlowMetric')))
    ours.process(samples)
    expected = theirs.evaluate(3)['EPE']
    assert ours.evaluate(3)['EPE'] == pytest.approx(expected, rel=1e-5)


def test_refuses(random_sample, make_sample):
    for key in ('gt_flow_fw', 'pred_flow_fw'):
        sample = random_sample(0)
        delattr(sample, key)
        with pytest.raises(KeyError, match=f'SintelFlowMetric needs {key}'):
            evaluate(sample)

    sample = random_sample(0)
    sample.set_metainfo(dict(img1_path='scene/frame.png'))
    small = make_sample(pred_flow_fw=np.zeros((2, 5, 9)))
    wrong = sample.clone()
    wrong.pred_flow_fw = small.pred_flow_fw
    with pytest.raises(ValueError, match=r'scene/frame.png: .*\(2, 5, 9\)'):
        evaluate(wrong)

    wrong = sample.clone()
    wrong.gt_occ_fw = make_sample(a=np.zeros((1, 9, 6))).a
    with pytest.raises(ValueError, match=r'frame.png: .*gt_occ_fw.*\(1, 9,'):
        evaluate(wrong)

    sample.gt_valid_fw.data[:] = 0
    with pytest.raises(ValueError, match='1 samples without a valid pixel'):
        evaluate(sample)
