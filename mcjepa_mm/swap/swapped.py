from dataclasses import dataclass, field
from typing import Any

from .readers import Row


@dataclass(frozen=True)
class Swapped:
    """A model after the swap.

    Attributes:
        changes (dict): Parts of the model's config that are replaced, by
            name; None for one that is removed.
        rows (list[Row]): What the parts read before and after.
        notes (list[str]): What a user should know about it.
        settings (dict): Settings beside the model that go with it.
    """

    changes: dict[str, Any]
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
