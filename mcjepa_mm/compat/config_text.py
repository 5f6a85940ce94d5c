"""The text of a config, formatted quickly.

When it applies
    Always with mmengine 0.10.7, which formats with yapf.
Why
    ``Config.pretty_text`` runs yapf, which weighs all ways to break a line:
    one to five seconds for a config of this package before each run, whatever
    it does. Here what does not fit into a line has each item on a line of its
    own, which takes a hundredth of that.
When it can go
    When mmengine no longer formats with yapf.
"""

import ast
from collections.abc import Iterator
from functools import lru_cache

from mmengine.config import config as mmengine_config

_WIDTH = 79
_applied = False


def needed() -> bool:
    """Whether mmengine formats configs with yapf."""
    return hasattr(mmengine_config, 'FormatCode')


def apply() -> None:
    """Let mmengine format with :func:`format_config`."""
    global _applied
    if _applied or not needed():
        return
    _applied = True
    mmengine_config.FormatCode = _format_code


def applied() -> bool:
    """Whether configs are formatted here."""
    return _applied


@lru_cache(maxsize=8)  # each checkpoint holds it
def format_config(text: str) -> str:
    """Format the assignments of a config.

    Args:
        text (str): Python: assignments, without comments.

    Returns:
        str: Python of the same meaning.

    Raises:
        SyntaxError: If it is not Python.
    """
    return ''.join(
        f'{_broken(statement, 0)}\n' for statement in ast.parse(text).body
    )


def _format_code(text: str, **_) -> tuple[str, bool]:
    """Stands for yapf's function, which tells whether it changed anything."""
    formatted = format_config(text)
    return formatted, formatted != text


def _broken(node: ast.AST, indent: int, before: str = '') -> str:
    """The source of a node that begins in this column, behind some text.

    Room is left for the comma behind it.
    """
    if isinstance(node, ast.Assign):
        names = ''.join(f'{ast.unparse(x)} = ' for x in node.targets)
        return _broken(node.value, indent, names)
    flat = before + ast.unparse(node)
    ends = _ends(node)
    if indent + len(flat) < _WIDTH or ends is None:
        return flat
    margin = ' ' * (indent + 4)
    lines = [
        f'{margin}{_broken(item, indent + 4, name)},\n'
        for name, item in _items(node)
    ]
    return f'{before}{ends[0]}\n{"".join(lines)}{" " * indent}{ends[1]}'


def _ends(node: ast.AST) -> tuple[str, str] | None:
    """What stands around the items of a node, if it has items."""
    if isinstance(node, ast.Call) and (node.args or node.keywords):
        return f'{ast.unparse(node.func)}(', ')'
    for kind, ends in (
        (ast.List, '[]'),
        (ast.Tuple, '()'),
        (ast.Set, '{}'),
    ):
        if isinstance(node, kind) and node.elts:
            return tuple(ends)
    if isinstance(node, ast.Dict) and node.keys:
        return '{', '}'
    return None


def _items(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """The items of a node, each with what stands before it."""
    if isinstance(node, ast.Call):
        yield from (('', arg) for arg in node.args)
        for keyword in node.keywords:
            name = '**' if keyword.arg is None else f'{keyword.arg}='
            yield name, keyword.value
    elif isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values):
            yield '**' if key is None else f'{ast.unparse(key)}: ', value
    else:
        yield from (('', item) for item in node.elts)
