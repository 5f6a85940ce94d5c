"""The parts of the benchmark that load data."""

import cv2
import pytest
import torch
from benchmarks._loading import as_worker

import mcjepa_mm  # noqa: F401  (patches imports)


def test_a_worker_has_one_thread_and_gives_the_others_back():
    threads = torch.get_num_threads(), cv2.getNumThreads()
    seen = []
    as_worker(
        lambda x: seen.append((x, torch.get_num_threads())), ['a', 'b']
    )()
    assert seen == [('a', 1), ('b', 1)]
    assert (torch.get_num_threads(), cv2.getNumThreads()) == threads


@pytest.mark.slow
def test_all_views_are_made():
    from benchmarks.content_views import cases

    (case,) = cases('cpu', samples=2, size=(60, 80))
    assert list(case.sides)[0] == 'ours' and len(case.sides) == 4
    assert case.samples == 2 and case.tolerance is None
    for make in case.sides.values():
        assert make()() is None


@pytest.mark.slow
@pytest.mark.parametrize('suffix', ['.mp4', '.jpg', '.png'])
def test_readers_read_the_same_frames(tmp_path, monkeypatch, suffix):
    from benchmarks import frame_pairs

    monkeypatch.setattr(
        frame_pairs, 'recipe', lambda: [dict(type='mcjepa_mm.PackViews')]
    )
    frame_pairs.write_clip(tmp_path, suffix, frames=4, size=(72, 96))
    expected = frame_pairs.ours(tmp_path)(1)['inputs']
    peers = [frame_pairs.mmcv_imread]
    if suffix == '.mp4':
        peers = [frame_pairs.mmcv_reader, frame_pairs.capture_per_pair]
    for peer in peers:
        inputs = peer(tmp_path)(1)['inputs']
        # decoders of JPEGs round differently
        assert (inputs.int() - expected.int()).abs().float().mean() < 0.5
        assert not torch.equal(inputs[0], inputs[1])


def test_pairs_of_a_video_are_read_in_every_order():
    from benchmarks.video_pairs import cases

    found = cases('cpu', frames=24, size=(72, 96), pairs=8)
    assert [len(case.sides) for case in found] == [3, 2]
    assert [case.samples for case in found] == [8, 4]
    for case in found:
        assert case.is_cpu_time
        for make in case.sides.values():
            assert make()() is None


@pytest.mark.slow
def test_packed_data_are_read_as_those_of_the_folder(monkeypatch, tmp_path):
    from benchmarks import packed_data

    # not those of the machine
    monkeypatch.setattr(packed_data, 'CACHES', tmp_path / 'caches')
    (tmp_path / 'caches').touch()
    found = packed_data.cases(
        'cpu',
        {(64, 64): 3},
        frames=12,
        size=(72, 96),
        num_pairs=4,
        million=2400,
    )
    assert [case.samples for case in found] == [3, 3, 3, 3, 1, 4]
    for case in found:
        if case.prepare:
            case.prepare()
        for make in case.sides.values():
            assert make()() is None
    assert (tmp_path / 'caches').read_text() == '3'
