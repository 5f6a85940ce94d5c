"""Format the text of a config, and read its model as data.

What does not fit into a line has each item on a line of its own.
"""

import ast
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

_WIDTH = 79


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


def _broken(node: ast.AST, indent: int, before: str = '') -> str:
    """Format a node that begins in this column, behind some text.

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
    """Brackets around the items of a node, if it has items."""
    if isinstance(node, ast.Call) and (node.args or node.keywords):
        return f'{ast.unparse(node.func)}(', ')'
    for kind, ends in (
        (ast.List, ('[', ']')),
        (ast.Tuple, ('(', ')')),
        (ast.Set, ('{', '}')),
    ):
        if isinstance(node, kind) and node.elts:
            return ends
    if isinstance(node, ast.Dict) and node.keys:
        return '{', '}'
    return None


def _items(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Items of a node, each with its prefix."""
    if isinstance(node, ast.Call):
        yield from (('', arg) for arg in node.args)
        for keyword in node.keywords:
            name = '**' if keyword.arg is None else f'{keyword.arg}='
            yield name, keyword.value
    elif isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values):
            yield '**' if key is None else f'{ast.unparse(key)}: ', value
    elif isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        yield from (('', item) for item in node.elts)


def read_model(text: Any) -> dict[str, Any]:
    """Read the ``model`` of a config's text, without running it."""
    if not isinstance(text, str):
        raise ValueError('it holds no config')
    try:
        statements = ast.parse(text).body
    except SyntaxError as error:
        raise ValueError('its config is no Python') from error
    for statement in statements:
        match statement:
            case ast.Assign(targets=[ast.Name(id='model')], value=value):
                return _literal(value)
    raise ValueError('its config has no model')


def _literal(node: ast.expr | None) -> Any:
    match node:
        case None:
            raise ValueError("a dict is unpacked in the config's model")
        case ast.Call(func=ast.Name(id='dict'), args=[], keywords=pairs):
            return {pair.arg: _literal(pair.value) for pair in pairs}
        case ast.Dict(keys=keys, values=values):
            return dict(zip(map(_literal, keys), map(_literal, values)))
        case ast.List(elts=items):
            return [_literal(item) for item in items]
        case ast.Tuple(elts=items):
            return tuple(_literal(item) for item in items)
    return ast.literal_eval(node)
