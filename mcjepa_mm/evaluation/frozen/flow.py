"""End-point error of flow, with zero flow as reference."""

from collections.abc import Callable
from pathlib import Path

import torch

from mcjepa_mm.datasets.flow_benchmarks import LabelledPairs
from mcjepa_mm.datasets.flow_files import read_flow
from mcjepa_mm.evaluation.functional import endpoint_error


def measure_flow(
    inferencer: Callable[..., list], dataset: LabelledPairs
) -> dict[str, dict[str, float]]:
    """End-point error of every pair over its valid pixels.

    Args:
        inferencer (callable): A ``FlowInferencer``.
        dataset (LabelledPairs): Pairs with flow.

    Returns:
        dict: By name of the pair ``epe`` and ``zero``, the error of a flow of
        zeros, in pixels, and ``pixels``, the number of valid ones.

    Raises:
        BadSampleError: If a frame or a flow file is damaged.
    """
    results = {}
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        paths = [info['img1_path'], info['img2_path']]
        (sample,) = inferencer(paths, show_progress=False)
        flow, valid = map(torch.from_numpy, read_flow(info['flow_fw_path']))
        pred = sample.pred_flow_fw.data.double()
        name = info.get('scene') or Path(paths[0]).stem
        if 'pass_style' in info:  # many pairs of a scene
            name = f'{info["pass_style"]}/{name}/{Path(paths[0]).stem}'
        results[name] = dict(
            epe=float(endpoint_error(pred, flow.double(), valid)),
            zero=float(
                endpoint_error(torch.zeros_like(pred), flow.double(), valid)
            ),
            pixels=int(valid.sum()),
        )
    return results
