"""Export of encoder and flow to ONNX and torch.export."""

import io
import os
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

import torch
from torch import Tensor, nn

from mcjepa_mm.models.backbones import read_backbone
from mcjepa_mm.utils.checkpoint import write_new

from .flow_graph import read_flow_graph

FORMATS = ('onnx', 'torch')
WHATS = ('encoder', 'flow')
STEP = 64  # sizes are multiples of it, the stride of the coarsest level
_PACKAGES = ('onnx', 'onnxscript', 'onnxruntime')
# of the encoder relative to the largest value of a map, of the flow in pixels
_TOLERANCES = dict(encoder=1e-5, flow=1e-3)
_INPUTS = dict(encoder=('images',), flow=('image1', 'image2'))
# The graph is traced at the first batch and size, and compared at the others
# too. torch.export takes a batch, or a side, of 1 for one that stays 1.
_TRACED = (2, 128, 192)
_COMPARED = ((1, 192, 128), (3, 128, 256))
# Where two neighbours' flows match equally well, rounding decides between
# them (FlowDecoder's propagation). That is an accident of the images.
_DRAWS = dict(encoder=1, flow=4)


def export(
    checkpoint: str | os.PathLike,
    out: str | os.PathLike,
    *,
    what: str,
    to: str,
    config: str | os.PathLike | None = None,
) -> dict[str, float]:
    """Write the graph of an encoder or of a flow estimator.

    The graph takes any batch, and sides that are multiples of 64, from 128
    on, of RGB images with the mean and deviation of the training taken off.
    It is compared with the model before the file takes its name.

    Args:
        checkpoint (str | PathLike): A checkpoint of the pretraining, or of
            another model with its encoder.
        out (str | PathLike): The file to write.
        what (str): 'encoder', from ``images`` to the six maps of the
            pyramid, ``level0`` to ``level5``; or 'flow', from ``image1`` and
            ``image2`` to ``flow``, (N, 2, H, W) in pixels.
        to (str): 'onnx', or 'torch' for what ``torch.export.load`` reads.
        config (str | PathLike, optional): See :func:`read_flow_graph`; an
            encoder needs none.

    Returns:
        dict[str, float]: The largest difference from the model, by batch
        and size such as '2 x 128 x 192'; of the encoder relative to the
        largest value of each map, of the flow in pixels.

    Raises:
        FileExistsError: If ``out`` is there.
        FileNotFoundError: If there is no such checkpoint or config.
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
    if what == 'encoder' and config is not None:
        raise ValueError('an encoder is built without a config, leave it out')
    if out.exists():
        raise FileExistsError(
            f'{out} exists and is left as it is: remove it, or name another'
        )
    if to == 'onnx':
        _check_packages()
    if what == 'encoder':
        model = _encoder(checkpoint)
        outs = [f'level{i}' for i in range(len(model.out_strides))]
    else:
        model, outs = read_flow_graph(checkpoint, config).float(), ['flow']
    model.eval().requires_grad_(False)
    names = _INPUTS[what]
    program = _exported(model, len(names))
    if to == 'onnx':
        content, run = _to_onnx(program, names, outs)
    else:
        content, run = _to_torch(program)
    found = _compare(model, run, what)
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
    model = read_backbone(checkpoint, in_channels=3).build(checkpoint)
    return model.float()


def _exported(model: nn.Module, count: int) -> torch.export.ExportedProgram:
    """The program of a model that takes so many batches of images."""
    dim = torch.export.Dim
    sides = {0: dim('batch'), 2: STEP * dim('rows'), 3: STEP * dim('columns')}
    with torch.no_grad():
        return torch.export.export(
            model,
            _images(count, *_TRACED),
            dynamic_shapes=(sides,) * count,
            strict=False,
        )


def _to_torch(program: torch.export.ExportedProgram) -> tuple[bytes, Callable]:
    buffer = io.BytesIO()
    torch.export.save(program, buffer)
    buffer.seek(0)
    return buffer.getvalue(), torch.export.load(buffer).module()


def _to_onnx(
    program: torch.export.ExportedProgram,
    names: Sequence[str],
    outs: Sequence[str],
) -> tuple[bytes, Callable]:
    import onnxruntime

    program = torch.onnx.export(
        program,
        dynamo=True,
        input_names=names,
        output_names=outs,
        verbose=False,
    )
    content = program.model_proto.SerializeToString()
    session = onnxruntime.InferenceSession(
        content, providers=['CPUExecutionProvider']
    )

    def run(*images: Tensor) -> tuple[Tensor, ...]:
        feed = {k: x.numpy() for k, x in zip(names, images, strict=True)}
        return tuple(map(torch.from_numpy, session.run(outs, feed)))

    return content, run


def _compare(model: nn.Module, run: Callable, what: str) -> dict[str, float]:
    """The largest difference at each size; refuse one above the tolerance."""
    found, tolerance = {}, _TOLERANCES[what]
    for shape in (_TRACED, *_COMPARED):
        for seed in range(_DRAWS[what]):
            images = _images(len(_INPUTS[what]), *shape, seed=seed)
            with torch.no_grad():
                expected, got = _tuple(model(*images)), _tuple(run(*images))
            worst = max(
                _difference(a, b, relative=what == 'encoder')
                for a, b in zip(got, expected, strict=True)
            )
            if worst <= tolerance:
                break
        size = ' x '.join(map(str, shape))
        if not worst <= tolerance:
            raise ValueError(
                f'the graph differs from the model by {worst:.1e} at {size}, '
                f'in the last of {_DRAWS[what]} draws of images, allowed are '
                f'{tolerance:.0e}; nothing was written'
            )
        found[size] = worst
    return found


def _tuple(maps: Tensor | Sequence[Tensor]) -> tuple[Tensor, ...]:
    return (maps,) if isinstance(maps, Tensor) else tuple(maps)


def _difference(got: Tensor, expected: Tensor, *, relative: bool) -> float:
    largest = (got - expected).abs().max()
    return (largest / expected.abs().max() if relative else largest).item()


def _images(
    count: int, batch: int, rows: int, columns: int, seed: int = 0
) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    shape = (batch, 3, rows, columns)
    return tuple(torch.randn(shape, generator=generator) for _ in range(count))
