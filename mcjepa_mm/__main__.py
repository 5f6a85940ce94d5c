"""The commands of this package without MIM: ``python -m mcjepa_mm``.

MIM ends a command that fails with a traceback of its own, and does not wait
for one that saves.
"""

import os
import sys
from difflib import get_close_matches
from pathlib import Path

TOOLS = Path(__file__).resolve().parent / '.mim' / 'tools'


def main() -> None:
    """Become the script that the first word names."""
    name, *words = sys.argv[1:] or ['commands']
    if name in ('-h', '--help'):
        name = 'commands'
    scripts = {
        path.stem: path
        for path in TOOLS.rglob('[!_]*.py')
        if path.parent.name != 'benchmarks'  # parts of benchmark.py
    }
    if name not in scripts:
        like = get_close_matches(name, scripts, n=1)
        sys.exit(
            f'mcjepa_mm has no command {name!r}'
            + (f'; did you mean {like[0]}?' if like else '.')
            + ' python -m mcjepa_mm lists all.'
        )
    command = [sys.executable, str(scripts[name]), *words]
    sys.stdout.flush()
    os.execv(sys.executable, command)


if __name__ == '__main__':
    main()
