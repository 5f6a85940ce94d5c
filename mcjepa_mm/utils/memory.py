"""How much memory the machine has, and an error where it ends."""

import os
import re
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Of a container, in version 2 and version 1 of Linux's control groups.
_LIMITS = (
    '/sys/fs/cgroup/memory.max',
    '/sys/fs/cgroup/memory/memory.limit_in_bytes',
)


def machine_memory() -> int:
    """Bytes of memory that the machine has, or the container on it."""
    whole = os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE')
    files = [path for path in map(Path, _LIMITS) if path.is_file()]
    limits = [path.read_text().strip() for path in files]
    # 'max' where there is none
    return min([whole, *(int(x) for x in limits if x.isdecimal())])


@contextmanager
def limited_memory() -> Iterator[None]:
    """Make allocations beyond the machine's memory fail.

    Linux grants them, and ends the process without a word once they are used.
    On other systems nothing changes.
    """
    if not sys.platform.startswith('linux'):
        yield
        return
    # stacks and heaps of this process, whether they have been used or not
    status = Path('/proc/self/status').read_text()
    kilobytes = {
        k: int(n) for k, n in re.findall(r'(\w+):\s+(\d+) kB', status)
    }
    unused = kilobytes['VmData'] - kilobytes['RssAnon']
    before = resource.getrlimit(resource.RLIMIT_DATA)
    own = [x for x in before if x != resource.RLIM_INFINITY]
    limit = min([machine_memory() + 1024 * unused, *own])
    resource.setrlimit(resource.RLIMIT_DATA, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def is_shortage(error: BaseException) -> bool:
    """Whether an allocation has failed, of the CPU's memory or a GPU's."""
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError)
        and re.search("can't allocate memory|out of memory", str(error))
        is not None
    )
