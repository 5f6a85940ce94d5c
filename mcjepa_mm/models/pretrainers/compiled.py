"""Compile some of a model's modules by torch.compile."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import nn


def compile_modules(
    model: nn.Module,
    modules: Sequence[str],
    *,
    fullgraph: bool = True,
    dynamic: bool | None = False,
    **options,
) -> None:
    """Compile the ``forward`` of some modules of a model, in place.

    Names of weights stay as they are, hooks on these modules are called as
    before, and a copy of the model computes with its own weights. Hooks that
    are put on modules *inside* them after the first call are not called. In
    eval mode the module runs as it is: the images of an evaluation come in
    many sizes.

    A loss can be compiled too, 'heads.motion.losses.rec'; with several
    processes not 'vicreg' and 'vc', whose collectives a graph cannot hold. A
    weight of it that a ScheduleHook ramps is part of the graph: each step
    compiles anew, and after eight stops with an error.

    ``nn.Module.compile`` is not used: of an ``nn.Sequential``, as the expander
    is one, it compiles nothing (torch 2.13), because torch leaves out the
    code of its own modules unless it is named.

    Args:
        model (nn.Module): Each module is compiled at its first call.
        modules (Sequence[str]): Their names, as in ``named_modules``.
        fullgraph (bool): Whether code that does not fit into one graph is an
            error. Defaults to True; with False, torch's default, it quietly
            cuts the graph.
        dynamic (bool, optional): Whether one graph serves all sizes. Defaults
            to False, one for each, since a training has few. With None,
            torch's default, it tries a dynamic one at the second size, and
            torch 2.13 fails to generate code for that of MCJEPAConvNeXt.
        **options: ``backend``, ``mode`` and ``options`` of
            ``torch.compile``.

    Raises:
        ValueError: If ``modules`` is no list of names, or one of them is not
            that of a module that is called.
    """
    # A head is not called itself: its work is in `loss` and `predict`.
    called = {
        name: module
        for name, module in model.named_modules()
        if name and type(module).forward is not nn.Module.forward
    }
    if isinstance(modules, str) or not modules:
        raise ValueError(
            'compile needs the names of modules, such as '
            f"dict(modules=['backbone']), got modules={modules!r}."
        )
    unknown = [name for name in modules if name not in called]
    if unknown:
        outer: list[str] = []
        for name in called:
            if not outer or not name.startswith(f'{outer[-1]}.'):
                outer.append(name)
        raise ValueError(
            f'compile: {type(model).__name__} calls no module '
            f'{", ".join(map(repr, unknown))}. It calls {", ".join(outer)} '
            'and what is inside them.'
        )
    for name in modules:
        module = called[name]
        compiled = torch.compile(
            type(module).forward,
            fullgraph=fullgraph,
            dynamic=dynamic,
            **options,
        )
        # A partial and not a method: deepcopy gives each copy its own.
        module.forward = partial(_forward, compiled, module)


def _forward(compiled: Callable, module: nn.Module, *args, **kwargs) -> Any:
    if module.training:
        return compiled(module, *args, **kwargs)
    return type(module).forward(module, *args, **kwargs)
