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


def markdown(head: Sequence, rows: Iterable[Sequence]) -> str:
    """A Markdown table."""
    lines = [head, ['---'] * len(head), *rows]
    return '\n'.join(f'| {" | ".join(map(str, line))} |' for line in lines)
