"""The encoder as a graph that runs without this package."""

import io
import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import torch
from torch import Tensor, nn

from mcjepa_mm.checkpoint_file import write_new
from mcjepa_mm.models.backbones import MCJEPAConvNeXt, read_backbone

from .fit import differences

FORMATS = ('onnx', 'torch')
WHATS = ('encoder',)
STEP = 64  # sizes are multiples of it, the stride of the coarsest level
_PACKAGES = ('onnx', 'onnxscript', 'onnxruntime')
_TOLERANCE = 1e-5  # relative to the largest value of a map
# The graph is traced at the first batch and size, and compared at the others
# too. torch.export takes a batch, or a side, of 1 for one that stays 1.
_TRACED = (2, 128, 192)
_COMPARED = ((1, 192, 128), (3, 128, 256))


def export(
    checkpoint: str | os.PathLike,
    out: str | os.PathLike,
    *,
    what: str,
    to: str,
) -> dict[str, float]:
    """Write the graph of an encoder.

    The graph takes any batch, and sides that are multiples of 64, from 128
    on, of RGB images with the mean and deviation of the training taken off.
    It is compared with the model before the file takes its name.

    Args:
        checkpoint (str | PathLike): A checkpoint of the pretraining, or of
            another model with its encoder.
        out (str | PathLike): The file to write.
        what (str): 'encoder', from ``images`` to the six maps of the
            pyramid, ``level0`` to ``level5``.
        to (str): 'onnx', or 'torch' for what ``torch.export.load`` reads.

    Returns:
        dict[str, float]: The largest difference from the model, by batch
        and size such as '2 x 128 x 192', relative to the largest value of
        each map.

    Raises:
        FileExistsError: If ``out`` is there.
        FileNotFoundError: If there is no such checkpoint.
        ImportError: If ONNX's packages are missing.
        ValueError: If the checkpoint does not fit, or the graph computes
            something else than the model.
    """
    out = Path(out)
    if what not in WHATS or to not in FORMATS:
        raise ValueError(
            f'expected what in {WHATS} and to in {FORMATS}, got {what!r} and '
            f'{to!r}'
        )
    if out.exists():
        raise FileExistsError(
            f'{out} exists and is left as it is: remove it, or name another'
        )
    if to == 'onnx':
        _check_packages()
    model = _encoder(checkpoint).eval().requires_grad_(False)
    content, run = (_to_onnx if to == 'onnx' else _to_torch)(model)
    found = _compare(model, run)
    write_new(out, content)
    return found


def _check_packages() -> None:
    for name in _PACKAGES:
        try:
            import_module(name)
        except ModuleNotFoundError as error:
            raise ImportError(
                f'an export to ONNX needs the package {name}: pip install '
                f'{" ".join(_PACKAGES)}'
            ) from error


def _encoder(checkpoint: str | os.PathLike) -> nn.Module:
    trained = read_backbone(checkpoint)
    unfit = sum(differences(trained.state_dict, trained.settings), [])
    if unfit:
        raise ValueError(
            f'{checkpoint} holds no whole MCJEPAConvNeXt: it differs in '
            f'{len(unfit)} tensors, such as {unfit[:3]}'
        )
    channels = trained.settings.get('in_channels', 3)
    if channels != 3:
        raise ValueError(
            f'{checkpoint} holds an encoder of images with {channels} '
            'channels; colour images have 3'
        )
    model = MCJEPAConvNeXt(**trained.settings)
    model.load_state_dict(trained.state_dict)
    return model.float()


def _exported(model: nn.Module) -> torch.export.ExportedProgram:
    dim = torch.export.Dim
    sides = {0: dim('batch'), 2: STEP * dim('rows'), 3: STEP * dim('columns')}
    with torch.no_grad():
        return torch.export.export(
            model,
            (_images(*_TRACED),),
            dynamic_shapes=(sides,),
            strict=False,
        )


def _to_torch(
    model: nn.Module,
) -> tuple[bytes, Callable[..., tuple[Tensor, ...]]]:
    buffer = io.BytesIO()
    torch.export.save(_exported(model), buffer)
    buffer.seek(0)
    return buffer.getvalue(), torch.export.load(buffer).module()


def _to_onnx(
    model: nn.Module,
) -> tuple[bytes, Callable[..., tuple[Tensor, ...]]]:
    import onnxruntime

    outs = [f'level{i}' for i in range(len(model.out_strides))]
    program = torch.onnx.export(
        _exported(model),
        dynamo=True,
        input_names=['images'],
        output_names=outs,
        verbose=False,
    )
    content = program.model_proto.SerializeToString()
    session = onnxruntime.InferenceSession(
        content, providers=['CPUExecutionProvider']
    )

    def run(images: Tensor) -> tuple[Tensor, ...]:
        maps = session.run(outs, dict(images=images.numpy()))
        return tuple(map(torch.from_numpy, maps))

    return content, run


def _compare(
    model: nn.Module,
    run: Callable[..., tuple[Tensor, ...]],
) -> dict[str, float]:
    """The largest difference at each size; refuse one above the tolerance."""
    found = {}
    for shape in (_TRACED, *_COMPARED):
        images = _images(*shape)
        with torch.no_grad():
            expected, got = model(images), run(images)
        worst = max(
            ((a - b).abs().max() / b.abs().max()).item()
            for a, b in zip(got, expected, strict=True)
        )
        size = ' x '.join(map(str, shape))
        if not worst <= _TOLERANCE:
            raise ValueError(
                f'the graph differs from the model by {worst:.1e} at {size}, '
                f'allowed are {_TOLERANCE:.0e}; nothing was written'
            )
        found[size] = worst
    return found


def _images(batch: int, rows: int, columns: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(batch, 3, rows, columns, generator=generator)
