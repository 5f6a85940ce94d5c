"""Whether the model is being exported to a graph."""

import torch

# Before torch 2.7 an export is told from nothing but a compilation; the plain
# operations are right there, too.
_torch_exports = getattr(
    torch.compiler, 'is_exporting', torch.compiler.is_compiling
)


def is_exporting() -> bool:
    """Whether the model is being traced or exported.

    An ``autograd.Function`` written for speed is no operation that a graph
    could hold: ``torch.jit.trace`` and the ONNX exporter built on it write
    down what its first call computed, and say nothing. Where this is True,
    the plain operations of torch stand in its place, with the same result:
    within ``torch.export``, ``torch.jit.trace`` and both exporters of
    ``torch.onnx``, not under ``torch.compile``.
    """
    return (
        is_torch_export()
        or torch.jit.is_tracing()
        or torch.onnx.is_in_onnx_export()
    )


def is_torch_export() -> bool:
    """Whether ``torch.export``, which has symbolic sizes, is running.

    It keeps what a decision on a size assumes, and refuses sizes that differ
    in it. A trace keeps the outcome only, so that nothing may be decided on
    a size there.
    """
    return _torch_exports()
