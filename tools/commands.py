"""List the commands of this package, a line each."""

import argparse
import ast
from pathlib import Path

TOOLS = Path(__file__).resolve().parent
# modules of other scripts
PARTS = TOOLS / 'benchmarks'


def find_commands() -> dict[str, str]:
    """Find all scripts.

    Returns:
        dict[str, str]: What each does, by its name, in alphabetical order.
    """
    commands = {}
    for path in TOOLS.rglob('*.py'):
        if path.stem.startswith('_') or path.is_relative_to(PARTS):
            continue
        text = ast.get_docstring(ast.parse(path.read_text('utf-8')))
        # what follows on the next lines belongs to the sentence
        paragraph = ' '.join(text.split('\n\n')[0].split())
        commands[path.stem] = paragraph.split('. ')[0].rstrip('.') + '.'
    return dict(sorted(commands.items()))


def main() -> None:
    """Print the list."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    commands = find_commands()
    width = max(map(len, commands))
    print(
        'mim run mcjepa_mm COMMAND ..., or python -m mcjepa_mm COMMAND ...\n'
    )
    for name, line in commands.items():
        print(f'{name:<{width}}  {line}')
    print('\nCOMMAND -h tells its options (MIM wants -- before -h).')


if __name__ == '__main__':
    main()
