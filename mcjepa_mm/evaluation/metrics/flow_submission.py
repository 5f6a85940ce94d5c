"""Write predicted flow for the servers of benchmarks."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.evaluator import BaseMetric

from mcjepa_mm.datasets.flow_files import write_flow
from mcjepa_mm.registry import METRICS

# What an image is called in the test set, and its flow in the submission.
# Sintel's images are frame_0001.png; the flow is frame0001.flo in the readme
# of the server's bundler. KITTI 2015's development kit looks in flow/.
_LAYOUTS = {
    'sintel': (
        '<clean or final>/<scene>/frame_0001.png',
        re.compile(r'(?:.*/)?(clean|final)/([^/]+)/frame_(\d{4})\.png'),
        r'\1/\2/frame\3.flo',
    ),
    'kitti': (
        '000000_10.png',
        re.compile(r'(?:.*/)?(\d{6}_10)\.png'),
        r'flow/\1.png',
    ),
}


@METRICS.register_module()
class FlowSubmission(BaseMetric):
    """Write the forward flow of a test set for a benchmark's server.

    - ``'sintel'``: ``clean/<scene>/frame0001.flo`` and
      ``final/<scene>/frame0001.flo``; give both folders to the benchmark's
      ``bundler``, and its file to the server;
    - ``'kitti'``: ``flow/000000_10.png``, 16 bit, every pixel valid; zip the
      folder ``flow`` itself.

    Files of the same name are overwritten, each whole or not at all; others
    stay, so that the two passes of Sintel may come from two runs. Every
    process writes its own samples: in a run over several machines ``out_dir``
    has to be on a disk that they share. Reports ``files``, their number.

    Args:
        out_dir (str): Folder; it is made if it does not exist.
        layout (str): 'sintel' or 'kitti'.
        collect_device (str): See :class:`mmengine.evaluator.BaseMetric`.
        prefix (str, optional): See :class:`mmengine.evaluator.BaseMetric`.

    Raises:
        ValueError: If the layout is not known.
    """

    # the loop already prefixes the task's name
    default_prefix = ''

    def __init__(
        self,
        out_dir: str,
        layout: str,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        if layout not in _LAYOUTS:
            raise ValueError(
                f'layout must be one of {list(_LAYOUTS)}, got {layout!r}'
            )
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.out_dir = Path(out_dir)
        self.layout = layout

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Write the flow of every sample.

        Args:
            data_batch (Any): Not used.
            data_samples (Sequence[dict]): Samples with ``pred_flow_fw``,
                ``data`` (2, H, W), ``img1_path``, and ``ori_shape``, the size
                that the file has to have.

        Raises:
            KeyError: If a sample lacks one of them.
            ValueError: If the flow is NaN, infinite or more than the format
                holds, or of another size than the image, or the image is not
                named as in the benchmark's test set.
        """
        for sample in data_samples:
            for key in ('pred_flow_fw', 'img1_path', 'ori_shape'):
                if key not in sample:
                    raise KeyError(
                        f'FlowSubmission needs {key}, the sample has '
                        f'{sorted(sample)}'
                    )
            source = sample['img1_path']
            flow = sample['pred_flow_fw']['data'].detach().cpu().numpy()
            size = tuple(sample['ori_shape'][:2])
            if flow.shape != (2, *size):
                raise ValueError(
                    f'{source}: expected flow (2, H, W) = {(2, *size)}, the '
                    f"image's own size, got {flow.shape}; resize the flow "
                    '(and scale its vectors) back before it is evaluated'
                )
            name = self._name(source)
            path = self.out_dir / name
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                write_flow(path, flow)
            except ValueError as error:
                raise ValueError(
                    f'the flow predicted for {source} cannot be submitted: '
                    f'{error}'
                ) from error
            self.results.append(name)

    def compute_metrics(self, results: list[str]) -> dict[str, int]:
        """Count the files.

        Args:
            results (list[str]): Their names, one per sample.

        Returns:
            dict[str, int]: ``files``.

        Raises:
            ValueError: If samples shared a file.
        """
        names = set(results)
        if len(names) < len(results):
            raise ValueError(
                f'{len(results)} samples went to {len(names)} files in '
                f'{self.out_dir}: some have the same name. Submit one '
                "benchmark's test set at a time."
            )
        return dict(files=len(names))

    def _name(self, source: str) -> str:
        """The submission's file for an image, relative to ``out_dir``."""
        expected, pattern, template = _LAYOUTS[self.layout]
        match = pattern.fullmatch(Path(source).as_posix())
        if not match:
            raise ValueError(
                f"{source}: an image of {self.layout}'s test set is called "
                f'{expected}; submit that set, or choose the other layout'
            )
        return match.expand(template)
