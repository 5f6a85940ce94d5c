"""Measurement records as JSON lines, and Markdown tables."""

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path


def append_records(path: str | os.PathLike, records: list[dict]) -> None:
    """Add records to a file, which is made with its folder if need be."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = ''.join(f'{json.dumps(record)}\n' for record in records)
    # one write, so that runs side by side do not mix their lines
    with open(path, 'a') as file:
        file.write(text)


def read_records(path: str | os.PathLike) -> list[dict]:
    """The records of a file, in order."""
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def mixed_origins(
    records: Sequence[dict], keys: Iterable[str]
) -> dict[str, str]:
    """Say in which of some keys records differ, and how many have what."""
    mixed = {}
    for key in keys:
        found = [str(record.get(key)) for record in records]
        if len(set(found)) > 1:
            mixed[key] = ', '.join(
                f'{x} ({found.count(x)} lines)' for x in dict.fromkeys(found)
            )
    return mixed


def markdown(head: Sequence, rows: Iterable[Sequence]) -> str:
    """A Markdown table."""
    lines = [head, ['---'] * len(head), *rows]
    return '\n'.join(f'| {" | ".join(map(str, line))} |' for line in lines)
