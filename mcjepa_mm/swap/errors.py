"""What says that a config cannot be swapped."""


class SwapError(ValueError):
    """The backbone of a config cannot be replaced; the message says why."""
