import numpy as np
import pytest

from mcjepa_mm.evaluation.functional import sequence_statistics

# From the rule: round(linspace(1, n, 5) + 1e-10) - 1 are the frames at which
# the quarters meet, which belong to both.
QUARTERS = {
    1: ([0], [0]),
    2: ([0], [1]),
    3: ([0, 1], [2]),  # 1, 1.5, 2, 2.5, 3
    4: ([0, 1], [2, 3]),
    5: ([0, 1], [3, 4]),
    6: ([0, 1], [4, 5]),  # 1, 2.25, 3.5, 4.75, 6
    7: ([0, 1, 2], [5, 6]),  # 1, 2.5, 4, 5.5, 7
    8: ([0, 1, 2], [5, 6, 7]),
    9: ([0, 1, 2], [6, 7, 8]),
}


@pytest.mark.parametrize('frames', QUARTERS)
def test_decay_by_hand(frames):
    values = [1 - 0.01 * i**2 for i in range(frames)]
    first, last = (
        sum(values[i] for i in quarter) / len(quarter)
        for quarter in QUARTERS[frames]
    )
    found = sequence_statistics(values)
    assert found['decay'] == pytest.approx(first - last, abs=1e-12)
    assert found['mean'] == pytest.approx(sum(values) / frames, abs=1e-12)


def test_decay_of_more_frames_than_a_byte_counts():
    # quarters meet at 0, 250, 500, 750, 1000: means of 125 and 875
    found = sequence_statistics(np.arange(1001) / 1000)
    assert found['decay'] == pytest.approx(-0.75, abs=1e-12)
    assert found['recall'] == 500 / 1001


def test_frames_at_one_half_are_not_recalled():
    values = [0.5, np.nextafter(0.5, 1), np.nextafter(0.5, 0), 1.0]
    assert sequence_statistics(values)['recall'] == 0.5
    assert sequence_statistics([0.5])['recall'] == 0


@pytest.mark.parametrize('values', [[], [[0.5]]])
def test_refuses(values):
    with pytest.raises(ValueError, match='at least one frame'):
        sequence_statistics(values)
