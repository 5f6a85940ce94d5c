"""The parts of the benchmark that run on videos."""

import pytest
import torch

import mcjepa_mm  # noqa: F401  (patches imports)


@pytest.mark.slow
def test_both_propagations_find_the_same_objects():
    from benchmarks.propagation import cases

    (case,) = cases('cpu', size=(96, 128), frames=4)
    assert case.samples == 4
    ours, plain = (make() for make in case.sides.values())
    first, second = ours(), ours()  # a clip begins anew
    assert len(first) == 3 and first[0].shape == (96, 128)
    for a, b, c in zip(first, second, plain()):
        assert torch.equal(a, b) and torch.equal(a, c)
        assert len(a.unique()) > 2


@pytest.mark.slow
def test_both_estimators_take_a_pair_and_a_film():
    from benchmarks.video_flow import cases

    pair, film = cases('cpu', size=(100, 150))
    assert pair.shape != film.shape
    for case in (pair, film):
        assert list(case.sides) == ['ours', "mmflow's PWC-Net"]
        assert case.tolerance is None  # they are other models
        for make in case.sides.values():
            assert make()() is None
