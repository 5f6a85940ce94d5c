"""One step of a config's training, on random views in place of its data."""

import logging
import os
from collections.abc import Callable

import torch
from mmengine.config import Config
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from torch import Tensor
from torch import distributed as dist

import mcjepa_mm.models  # noqa: F401  (registers them)
from mcjepa_mm.registry import MODELS


def training_step(
    path: str | os.PathLike,
    shapes: dict[str, tuple[int, ...]],
    options: dict | None = None,
    device: str = 'cpu',
    ddp: dict | None = None,
) -> Callable[..., dict[str, Tensor]]:
    """Build the model and the optimiser of a config.

    If this process is one of several that were joined, the model is wrapped
    as the runner would wrap it.

    Args:
        path (str | PathLike): The config.
        shapes (dict[str, tuple[int]]): (N, V, 3, H, W) of the views that this
            process brings to a step, by task.
        options (dict, optional): Settings over those of the config.
        device (str): Where the model is. Defaults to 'cpu'.
        ddp (dict, optional): Arguments of the wrapper; its ``hook`` is one
            of torch's communication hooks.

    Returns:
        Callable: A function that does one ``train_step``, forward, backward
        and optimiser, with the same uint8 views each time or with a batch
        that it is given, and returns what is logged.
    """
    cfg = Config.fromfile(path)
    cfg.merge_from_dict(options or {})
    init_default_scope(cfg.default_scope)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    # It would tell of every parameter how it is filled.
    logging.disable(logging.INFO)
    model.init_weights()
    logging.disable(logging.NOTSET)
    model.to(device).train()
    views = {
        task: dict(inputs=torch.randint(256, shape, dtype=torch.uint8))
        for task, shape in shapes.items()
    }
    if dist.is_initialized():
        ddp = dict(ddp or {})
        hook = ddp.pop('hook', None)
        model = MMDistributedDataParallel(
            model,
            device_ids=None if device == 'cpu' else [torch.device(device)],
            broadcast_buffers=False,
            find_unused_parameters=cfg.get('find_unused_parameters', False),
            **ddp,
        )
        if hook:
            model.register_comm_hook(None, hook)
    optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    return lambda batch=views: model.train_step(batch, optim_wrapper)
