"""Whether weights are those of an encoder."""

from typing import Any

from torch import Tensor

from mcjepa_mm.models.backbones import MCJEPAConvNeXt


def differences(
    weights: dict[str, Tensor], settings: dict[str, Any]
) -> tuple[list[str], list[str]]:
    """Compare weights with those of MCJEPAConvNeXt, names and shapes.

    Args:
        weights (dict[str, Tensor]): Weights with the encoder's own names.
        settings (dict): Its arguments.

    Returns:
        tuple[list[str], list[str]]: The names of its weights that are
        missing, and of those that it has not or has in another shape.
    """
    expected = MCJEPAConvNeXt(**settings).state_dict()
    missing = [key for key in expected if key not in weights]
    wrong = [
        key
        for key, value in weights.items()
        if key not in expected or expected[key].shape != value.shape
    ]
    return missing, wrong
