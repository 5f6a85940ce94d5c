"""How long a run over many frames will take, said when it begins."""

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar('Item')


def say_pace(
    items: Iterable[Item], total: int | None, name: str, *, after: int = 2
) -> Iterator[Item]:
    """Pass items on, and print once what they take.

    The first item warms up and is not counted; what is done with an item
    before the next one is asked for is.

    Args:
        items (Iterable): What is worked out item by item.
        total (int, optional): Number of items, None where it is not known.
        name (str): Of one item, such as 'pair'.
        after (int): Items to measure. Defaults to 2. Of items that come in
            batches two batches, or a batch would count as one item.

    Yields:
        Item: Each of them; the line is printed before number ``after`` + 1,
        unless that is the last.
    """
    start = 0.0
    for index, item in enumerate(items):
        if index == 0:
            start = time.perf_counter()
        if index == after and (total is None or total > after + 1):
            pace = (time.perf_counter() - start) / after
            whole = (
                ''
                if total is None
                else f', about {duration(pace * total)} for all {total}'
            )
            print(f'{duration(pace)} per {name}{whole}', flush=True)
        yield item


def duration(seconds: float) -> str:
    """Two digits or more of a length of time, in a unit that suits."""
    for unit, size in (('s', 1), ('min', 60)):
        if seconds < 90 * size:
            return f'{seconds / size:.2g} {unit}'
    return f'{seconds / 3600:.1f} h'
