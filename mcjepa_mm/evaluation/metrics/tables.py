"""Tables of figures, as text and as files."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mcjepa_mm.utils.atomic_write import atomic_write


def render_table(sections: Sequence[Sequence[dict[str, Any]]]) -> str:
    """Lay rows out for a terminal or a log file.

    Args:
        sections (Sequence): Groups of rows, with a line between them; the
            keys of a row are the heads of the columns.

    Returns:
        str: Lines of plain text, the first column flush left; float numbers
        with two digits after the point.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table

    columns = list(sections[0][0])
    # plain signs: log files are not UTF-8 everywhere
    table = Table(box=box.ASCII2)
    for column in columns:
        first = column == columns[0]
        table.add_column(column, justify='left' if first else 'right')
    for rows in sections:
        for row in rows:
            table.add_row(*(_cell(row[column]) for column in columns))
        table.add_section()
    # as wide as it needs, and without what only a terminal understands
    text = io.StringIO()
    Console(
        file=text, width=10_000, color_system=None, markup=False, emoji=False
    ).print(table)
    return text.getvalue()


def write_csv(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows as comma-separated values, in full precision.

    Args:
        path (Path): File; its folder is made.
        rows (Sequence[dict]): At least one; all with the same keys.

    Raises:
        OSError: If it cannot be written.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0], lineterminator='\n')
    writer.writeheader()
    writer.writerows(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, text.getvalue().encode())


def _cell(value: Any) -> str:
    return f'{value:.2f}' if isinstance(value, float) else str(value)
