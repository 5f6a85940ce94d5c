"""Files that are written whole or not at all."""

import os
from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Write a file, or leave what was there before.

    Args:
        path (Path): File in a folder that exists.
        content (bytes): All of it.

    Raises:
        OSError: If it cannot be written.
    """
    # processes that share a folder must not share the temporary file
    part = path.with_name(f'{path.name}.{os.getpid()}.part')
    try:
        part.write_bytes(content)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
