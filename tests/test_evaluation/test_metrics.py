import json

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.structures import BaseDataElement, LabelData, PixelData

from mcjepa_mm.evaluation import EmbeddingQuality, FlowEPE
from mcjepa_mm.evaluation.functional import knn_accuracy, rank_me


def flow_sample(seed, size=(4, 6), occlusion=True, valid=False):
    rng = np.random.default_rng(seed)
    sample = BaseDataElement()

    def put(name, data):
        setattr(sample, name, PixelData(data=torch.tensor(data).float()))

    gt = rng.normal(size=(2, *size))
    gt[:, 0, 0] = np.nan
    put('gt_flow_fw', gt)
    put('pred_flow_fw', rng.normal(size=(2, *size)))
    if occlusion:
        put('gt_occ_fw', rng.random((1, *size)) < 0.3)
    if valid:
        put('gt_valid_fw', rng.random((1, *size)) < 0.7)
    return sample


def flow_by_loops(samples):
    sums = dict.fromkeys(['all', 'visible', 'occluded', 'zero'], 0.0)
    nums = dict.fromkeys(sums, 0)
    for sample in samples:
        gt, pred = sample.gt_flow_fw.data, sample.pred_flow_fw.data
        for i in range(gt.shape[1]):
            for j in range(gt.shape[2]):
                if gt[:, i, j].isnan().any():
                    continue
                if (
                    'gt_valid_fw' in sample
                    and not sample.gt_valid_fw.data[0, i, j]
                ):
                    continue
                error = ((pred - gt)[:, i, j] ** 2).sum().item() ** 0.5
                sums['all'] += error
                nums['all'] += 1
                sums['zero'] += (gt[:, i, j] ** 2).sum().item() ** 0.5
                nums['zero'] += 1
                if 'gt_occ_fw' in sample:
                    hidden = sample.gt_occ_fw.data[0, i, j] == 1
                    name = 'occluded' if hidden else 'visible'
                    sums[name] += error
                    nums[name] += 1
    return {k: sums[k] / nums[k] for k in sums}


def test_flow_epe_equals_loops():
    samples = [
        flow_sample(0),
        flow_sample(1, size=(3, 5), valid=True),
        flow_sample(2, occlusion=False),
    ]
    evaluator = Evaluator(FlowEPE())
    evaluator.process(samples[:2])
    evaluator.process(samples[2:])
    metrics = evaluator.evaluate(3)
    expected = flow_by_loops(samples)
    assert metrics == pytest.approx(
        dict(
            EPE=expected['all'],
            EPE_visible=expected['visible'],
            EPE_occluded=expected['occluded'],
            EPE_zero=expected['zero'],
            EPE_ratio=expected['all'] / expected['zero'],
        )
    )
    json.dumps(metrics)  # plain numbers


def test_flow_epe_without_occlusion_leaves_it_out():
    evaluator = Evaluator(FlowEPE())
    evaluator.process([flow_sample(0, occlusion=False)])
    assert set(evaluator.evaluate(1)) == {'EPE', 'EPE_zero', 'EPE_ratio'}


def test_flow_epe_refuses():
    sample = flow_sample(0)
    del sample.gt_flow_fw
    with pytest.raises(KeyError, match='gt_flow_fw'):
        Evaluator(FlowEPE()).process([sample])
    sample = flow_sample(0)
    sample.gt_flow_fw.data[:] = float('nan')
    evaluator = Evaluator(FlowEPE())
    evaluator.process([sample])
    with pytest.raises(ValueError, match='valid'):
        evaluator.evaluate(1)


@pytest.mark.parametrize(
    'wrap',
    [
        lambda x: torch.tensor([x]),
        lambda x: LabelData(label=torch.tensor([x])),
        None,
    ],
)
def test_embedding_quality(wrap):
    torch.manual_seed(0)
    embedding, projection = torch.randn(9, 4) + 2, 3 * torch.randn(9, 6)
    labels = torch.arange(9) % 2
    samples = []
    for i in range(9):
        sample = BaseDataElement(
            embedding=embedding[i], projection=projection[i]
        )
        if wrap is not None:
            sample.gt_label = wrap(int(labels[i]))
        samples.append(sample)
    evaluator = Evaluator(EmbeddingQuality(k=3))
    evaluator.process(samples)
    metrics = evaluator.evaluate(9)
    expected = dict(
        std=projection.numpy().std(axis=0, ddof=1).mean(),
        RankMe=rank_me(projection - projection.mean(dim=0)),
        constant=(embedding.mean(dim=0) ** 2).sum().item()
        / (embedding**2).sum(dim=1).mean().item(),
    )
    if wrap is not None:
        expected['kNN'] = 100 * knn_accuracy(embedding, labels, k=3)
        expected['kNN_centred'] = 100 * knn_accuracy(
            embedding - embedding.mean(dim=0), labels, k=3
        )
        assert expected['kNN_centred'] != expected['kNN']
    assert metrics == pytest.approx(expected, rel=1e-5)


def test_embedding_quality_refuses():
    evaluator = Evaluator(EmbeddingQuality(k=1))
    vector = torch.zeros(2)
    with pytest.raises(KeyError, match='projection'):
        evaluator.process([BaseDataElement(embedding=vector)])
    sample = BaseDataElement(embedding=vector, projection=vector)
    labelled = sample.clone()
    labelled.gt_label = torch.tensor([1])
    evaluator.process([sample, labelled])
    with pytest.raises(ValueError, match='1 of 2'):
        evaluator.evaluate(2)


def share(rank, folder):
    evaluator = Evaluator(FlowEPE())
    # three samples; the second process is padded with the first one, as
    # mmengine's sampler does, and the copy must not count
    evaluator.process([flow_sample(i) for i in ((0, 2), (1, 0))[rank]])
    return evaluator.evaluate(3)


@pytest.mark.slow
def test_two_processes_equal_one(tmp_path, two_processes):
    evaluator = Evaluator(FlowEPE())
    evaluator.process([flow_sample(i) for i in range(3)])
    expected = evaluator.evaluate(3)
    for metrics in two_processes(__file__, tmp_path):
        assert metrics == pytest.approx(expected)
