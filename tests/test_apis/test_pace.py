import pytest

from mcjepa_mm.apis import pace
from mcjepa_mm.apis.pace import duration, say_pace


@pytest.fixture
def clock(monkeypatch):
    """A clock that only moves when it is told to."""
    now = [100.0]
    monkeypatch.setattr(pace.time, 'perf_counter', lambda: now[0])
    return now


def in_batches(clock, sizes, seconds):
    """Items that come in batches, a batch taking seconds an item."""
    for batch, size in enumerate(sizes):
        clock[0] += 60 if not batch else size * seconds
        yield from range(size)


@pytest.mark.parametrize('sizes, after', [([1] * 9, 2), ([3, 4, 4, 4], 8)])
def test_the_first_item_does_not_count(clock, capsys, sizes, after):
    items = in_batches(clock, sizes, 0.5)
    assert len(list(say_pace(items, 300, 'pair', after=after))) == sum(sizes)
    out = capsys.readouterr().out
    assert out == '0.5 s per pair, about 2.5 min for all 300\n'


def test_what_is_done_between_items_counts(clock, capsys):
    for _ in say_pace(range(5), None, 'frame'):
        clock[0] += 2
    assert capsys.readouterr().out == '2 s per frame\n'


def test_nothing_is_said_when_it_is_nearly_over(capsys):
    assert list(say_pace(range(3), 3, 'pair')) == [0, 1, 2]
    assert capsys.readouterr().out == ''


@pytest.mark.parametrize(
    'seconds, text',
    [(0.25, '0.25 s'), (89, '89 s'), (90, '1.5 min'), (9000, '2.5 h')],
)
def test_duration(seconds, text):
    assert duration(seconds) == text
