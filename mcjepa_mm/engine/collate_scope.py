from typing import Any


def without_collate_scope(dataloader: dict) -> dict:
    """A dataloader's config of which the collate function has no scope.

    A config that inherits ``package::config`` finds ``_scope_`` in each part
    that has a ``type``. mmengine's registries take it out where they build
    the part. A collate function is looked up, not built, and would be called
    with it.

    Args:
        dataloader (dict): mmengine's config of a dataloader. It is left as
            it is.

    Returns:
        dict: The same without ``collate_fn._scope_``.
    """
    collate: Any = dataloader.get('collate_fn')
    if not isinstance(collate, dict) or '_scope_' not in collate:
        return dataloader
    collate = {k: v for k, v in collate.items() if k != '_scope_'}
    return dict(dataloader, collate_fn=collate)
