import json

import numpy as np
import pytest
from mmengine.evaluator import Evaluator

from mcjepa_mm.evaluation import KITTIFlowMetric
from mcjepa_mm.registry import METRICS


def evaluate(*samples):
    evaluator = Evaluator(KITTIFlowMetric())
    for sample in samples:
        evaluator.process([sample])
    return evaluator.evaluate(len(samples))


def by_loops(samples):
    values = {}
    for sample in samples:
        gt = sample.gt_flow_fw.data.double().numpy()
        pred = sample.pred_flow_fw.data.double().numpy()
        for y, x in np.ndindex(gt.shape[1:]):
            if not sample.gt_valid_fw.data[0, y, x]:
                continue
            error = np.hypot(*(pred - gt)[:, y, x])
            ratio = error / np.hypot(*gt[:, y, x])
            wrong = 100.0 if error > 3 and ratio > 0.05 else 0.0
            regions = ['occ']
            if not sample.gt_occ_fw.data[0, y, x]:
                regions.append('noc')
            kind = 'fg' if sample.gt_fg_fw.data[0, y, x] else 'bg'
            for region in regions:
                values.setdefault(f'EPE_{region}', []).append(error)
                for part in ('all', kind):
                    values.setdefault(f'Fl_{part}_{region}', []).append(wrong)
    return {name: np.mean(value) for name, value in values.items()}


def test_equals_loops_over_samples_of_different_sizes(random_sample):
    samples = [random_sample(0), random_sample(1, (3, 4)), random_sample(2)]
    metrics = evaluate(*samples)
    assert metrics == pytest.approx(by_loops(samples))
    assert len(metrics) == 8
    assert (
        10 < metrics['Fl_all_occ'] < 90
    )  # the case can tell right from wrong
    json.dumps(metrics)  # plain numbers


def test_figures_that_need_more_are_absent(random_sample):
    plain = random_sample(0, occlusion=False, foreground=False)
    assert set(evaluate(plain)) == {'EPE_occ', 'Fl_all_occ'}
    split = random_sample(0, foreground=False)
    assert set(evaluate(split)) == {
        'EPE_occ',
        'Fl_all_occ',
        'EPE_noc',
        'Fl_all_noc',
    }
    no_object = random_sample(0, occlusion=False)
    no_object.gt_fg_fw.data[:] = 0
    assert set(evaluate(no_object)) == {'EPE_occ', 'Fl_all_occ', 'Fl_bg_occ'}


def test_equals_mmflow_on_one_batch(random_sample):
    from mmflow.evaluation.metrics import EndPointError, FlowOutliers

    samples = [random_sample(seed) for seed in range(3)]
    theirs = Evaluator([EndPointError(), FlowOutliers()])
    theirs.process(samples)
    expected = theirs.evaluate(3)
    ours = Evaluator(METRICS.build(dict(type='mcjepa_mm.KITTIFlowMetric')))
    ours.process(samples)
    metrics = ours.evaluate(3)
    assert metrics['EPE_occ'] == pytest.approx(expected['EPE'], rel=1e-5)
    assert metrics['Fl_all_occ'] == pytest.approx(expected['Fl'])


def test_a_nan_in_the_prediction_is_an_outlier(random_sample):
    sample = random_sample(0)
    sample.pred_flow_fw.data[:] = float('nan')
    metrics = evaluate(sample)
    assert np.isnan(metrics['EPE_occ'])
    assert metrics['Fl_all_occ'] == 100
