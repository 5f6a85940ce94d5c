import numpy as np
import pytest
from mmengine.evaluator import Evaluator

from mcjepa_mm.evaluation import KITTI2012FlowMetric


def evaluate(*samples):
    evaluator = Evaluator(KITTI2012FlowMetric())
    for sample in samples:
        evaluator.process([sample])
    return evaluator.evaluate(len(samples))


def test_equals_loops_over_samples_of_different_sizes(random_sample):
    samples = [random_sample(0), random_sample(1, (3, 4))]
    values = {}
    for sample in samples:
        gap = sample.pred_flow_fw.data - sample.gt_flow_fw.data
        gap = gap.double().numpy()
        for y, x in np.ndindex(gap.shape[1:]):
            if not sample.gt_valid_fw.data[0, y, x]:
                continue
            error = np.hypot(*gap[:, y, x])
            hidden = sample.gt_occ_fw.data[0, y, x]
            for region in ['all'] if hidden else ['all', 'noc']:
                values.setdefault(f'Avg_{region}', []).append(error)
                for n in (2, 3, 4, 5):
                    wrong = values.setdefault(f'Out_{n}px_{region}', [])
                    wrong.append(100.0 * (error > n))
    expected = {name: np.mean(value) for name, value in values.items()}
    assert evaluate(*samples) == pytest.approx(expected)
    assert len(expected) == 10 and 10 < expected['Out_3px_all'] < 90


def test_without_occlusions(random_sample):
    sample = random_sample(0, occlusion=False)
    assert all(name.endswith('_all') for name in evaluate(sample))
