"""The statistics of evidence.py, on differences worked out by hand."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest


@pytest.fixture
def evidence(monkeypatch):
    from pathlib import Path

    root = Path(__file__).resolve().parents[2]
    monkeypatch.syspath_prepend(root / 'tools/analysis_tools')
    import _evidence_report

    return _evidence_report


def lines(seeds=range(6), **arms):
    """Lines whose figures are the arm's number plus the seed."""
    origin = dict(
        stage='main', commit='a', processor='AVX2', torch='2', scale=1.0
    )
    return [
        dict(
            origin,
            arm=arm.replace('_', '-'),
            seed=seed,
            jf=value + seed,
            object_class=value + seed,
            figure_ground=value + seed,
            epe_ratio=value / 100 + 0.1,
        )
        for arm, value in arms.items()
        for seed in seeds
    ]


def test_interval_and_sign_flips(evidence):
    low, high = evidence.t_interval(np.array([1.0, 2.0, 3.0]))
    # t(0.975, 2) = 4.3027, sd 1
    assert low == pytest.approx(2 - 4.3027 / 3**0.5, abs=1e-4)
    assert high == pytest.approx(2 + 4.3027 / 3**0.5, abs=1e-4)
    # of 8 sign patterns of equal numbers 2 have the largest mean
    assert evidence.sign_flip_p(np.ones(3)) == 0.25
    # 1, -1: means 0, 1, -1, 0, all at least 0 in size
    assert evidence.sign_flip_p(np.array([1.0, -1.0])) == 1
    assert evidence.t_interval(np.ones(1)) == (-math.inf, math.inf)


def test_a_claim_needs_its_interval_and_its_size(evidence):
    claim = evidence.Claim('jf', 'a', 'b', least=1.0)
    assert evidence.verdict(np.array([1.5, 1.6, 1.7]), claim)
    assert not evidence.verdict(np.array([0.5, 0.6, 0.7]), claim)  # small
    assert not evidence.verdict(np.array([-4.0, 2.0, 8.0]), claim)  # wide
    flow = evidence.Claim('epe_ratio', 'a', 'b', most=3.0)
    assert evidence.verdict(np.array([1.0, 1.1, 0.9]), flow)
    assert not evidence.verdict(np.array([2.0, 2.9, 3.9]), flow)


def test_statements_stop_at_the_first_that_is_not_shown(evidence):
    text = evidence.report(
        lines(
            joint=20,
            motion=10,  # so joint's flow is worse
            content=10,
            content_long=10,
            random=5,
        )
        + lines([0], colors=1)
    )
    rows = [row for row in text.splitlines() if ': joint - ' in row]
    assert 'not shown' in rows[0]
    assert all('not tested' in row for row in rows[1:6])
    assert '+10.00' in rows[1]


@pytest.mark.parametrize('key', ['commit', 'processor', 'world'])
def test_lines_of_two_origins_are_refused(evidence, key):
    records = lines(joint=1, motion=1)
    records[3][key] = 'another'
    with pytest.raises(ValueError, match=f'{key}.*another'):
        evidence.report(records)


def test_a_missing_seed_is_refused(evidence):
    records = lines(joint=1, motion=1)
    records = [x for x in records if (x['arm'], x['seed']) != ('motion', 4)]
    with pytest.raises(ValueError, match=r'motion lacks the seeds \[4\]'):
        evidence.report(records)


def test_settings_are_chosen_by_the_mean_score(evidence):
    records = [
        dict(stage='tune', arm=f'content.{k}', seed=seed, jf=jf, cpu_minutes=2)
        for k, values in enumerate([(5, 7), (9, 4)])
        for seed, jf in enumerate(values)
    ]
    records += [dict(stage='tune', arm='joint.0', seed=0, jf=1, cpu_minutes=5)]
    chosen, times = evidence.choice(records)
    assert chosen == dict(content=1, joint=0)
    assert times == dict(content=2.5)


def test_arms_are_jobs(evidence):
    """Each arm's config has its tasks, and data of the world for each."""
    import _evidence_arms as arms
    import _evidence_parts  # noqa: F401  (registers)

    from mcjepa_mm.registry import MODELS

    tune = arms.arms_of('tune')
    assert len(tune) == 12
    for name in ('motion.0', 'dense.1', 'joint-dense-flow.0'):
        cfg = arms.job(tune[name], seed=3, stage='tune', epochs=2)
        loaders = {k for k, x in cfg.train_dataloader.items() if x}
        assert loaders == set(tune[name].tasks)
        assert cfg.custom_hooks[0].main_task in loaders
        assert cfg.param_scheduler.total_steps == 200
        model = MODELS.build(cfg.model)
        trained = {k for k, x in model.heads.items() if [*x.parameters()]}
        assert trained == loaders
        for loader in (*cfg.train_dataloader.values(),):
            assert not loader or loader.dataset.camouflage == 0.5
    assert 'dense' in model.heads['motion'].losses


def test_settings_and_document_are_what_the_lines_say(evidence, repo):
    import _evidence_arms as arms
    from _records import read_records

    lines = read_records(repo / 'docs/results/evidence.jsonl')
    chosen = evidence.choice(lines)
    assert chosen == (arms.CHOSEN, arms.EPOCHS_AT_EQUAL_TIME)
    document = (repo / 'docs/results/evidence.md').read_text()
    _, _, main = evidence.report(lines).partition('### main')
    tables = [x for x in main.split('\n\n') if x.startswith('|')]
    assert len(tables) == 3 and all(table in document for table in tables)
    _, statements, _ = tables
    page = (repo / 'docs/evidence.md').read_text()
    for row in statements.splitlines()[2:]:
        _, _, difference, _, mean, interval, *_ = row.split('|')
        assert f'|{difference}|{mean}|{interval}|' in page


@pytest.mark.slow
def test_the_queue_measures_what_has_no_line(repo, tmp_path):
    command = [
        sys.executable,
        repo / 'tools/analysis_tools/evidence.py',
        *('run', 'main', '--arms', 'colors', '--scale', '0.02'),
        *('--seeds', '1', '2'),  # colors are measured once
        *('--work-dir', tmp_path / 'work', '--out', tmp_path / 'lines.jsonl'),
    ]
    for _ in range(2):
        subprocess.run([*map(str, command)], check=True)
        (line,) = (tmp_path / 'lines.jsonl').read_text().splitlines()
    assert (json.loads(line)['arm'], json.loads(line)['seed']) == ('colors', 0)
    assert 0 < json.loads(line)['jf'] < 100
