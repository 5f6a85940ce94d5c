"""What says that a config cannot be swapped."""


class SwapError(ValueError):
    """The backbone of a config cannot be replaced; the message says why."""


def reason(error: BaseException) -> str:
    """One line on a foreign error: the first one of its chain.

    mmengine raises anew what it catches while it builds and imports, with a
    page of text around it.
    """
    while True:
        before = error.__cause__
        if before is None and not error.__suppress_context__:
            before = error.__context__
        if before is None:
            break
        error = before
    line = str(error).strip().partition('\n')[0]
    return f'{type(error).__name__}: {line}'
