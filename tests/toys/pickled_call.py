"""What can be planted in a checkpoint."""

from collections.abc import Callable


class Call:
    """Pickles as a call of any function, which a reader then makes."""

    def __init__(self, function: Callable, *args) -> None:
        self.call = function, args

    def __reduce__(self) -> tuple:
        return self.call
