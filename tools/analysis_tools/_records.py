"""Measurement records as JSON lines, with provenance, and Markdown tables."""

import json
import os
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any


def provenance() -> dict[str, Any]:
    """What a figure may depend on besides the model and the data."""
    import torch

    from mcjepa_mm.version import __version__

    return dict(
        version=__version__,
        commit=_commit(),
        torch=torch.__version__,
        processor=torch.backends.cpu.get_cpu_capability(),
        threads=torch.get_num_threads(),
    )


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


def _commit() -> str | None:
    """The checkout's commit, with '+' if files differ from it."""
    folder = Path(__file__).resolve().parent
    found = subprocess.run(
        ['git', 'describe', '--always', '--dirty=+', '--abbrev=10'],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    return found.stdout.strip() or None
