"""Semantic segmentation inference and overlays."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.device import get_device
from mmengine.model import BaseModel
from mmengine.registry import DefaultScope
from rich.progress import track

from mcjepa_mm.datasets.transforms.image_loading import read_image
from mcjepa_mm.engine.inherited_scope import read_config
from mcjepa_mm.registry import DATASETS, MODELS
from mcjepa_mm.utils.image_file import write_image, write_label_map
from mcjepa_mm.visualization.segmentation_overlay import draw_segmentation

from .image_inputs import list_images
from .model_files import fill_model, find_config


class Segmentor:
    """A segmentor of mmsegmentation with its test pipeline and class names.

    Not mmseg's ``MMSegInferencer`` or ``init_model``: they keep random
    weights where a checkpoint does not fit, name the classes after
    Cityscapes where they know none, and the first one does not know the
    loading of images of other packages.

    Args:
        config (str | PathLike | Config): Config of the segmentor, of this
            package or of mmsegmentation; a file or the name of one of this
            package.
        checkpoint (str | PathLike): Its checkpoint.
        device (str | torch.device, optional): Defaults to None: the GPU if
            there is one.

    Attributes:
        classes (list[str]): Names, as the checkpoint or else the config's
            data set has them; numbers if neither does.
        palette (list[list[int]]): Their colours, RGB.

    Raises:
        FileNotFoundError: If there is no such config or checkpoint.
        ValueError: If the config is not that of a segmentor, the checkpoint
            does not fill the model, or class names do not fit it.

    Example::

        segmentor = Segmentor('work/config.py', 'work/iter_400.pth')
        segmentor(image)  # (H, W, 3) uint8, RGB -> (H, W) classes
    """

    def __init__(
        self,
        config: str | os.PathLike | Config,
        checkpoint: str | os.PathLike,
        device: str | torch.device | None = None,
    ) -> None:
        if not isinstance(config, Config):
            config = read_config(find_config(config))
        self._scope = config.get('default_scope') or 'mmseg'
        dataset = _test_dataset(config)
        with DefaultScope.overwrite_default_scope(self._scope):
            self.model: BaseModel = MODELS.build(config.model)
            if not hasattr(self.model, 'decode_head'):
                raise ValueError(
                    f'expected the config of a segmentor of mmsegmentation, '
                    f'got that of a {type(self.model).__name__}'
                )
            meta = fill_model(self.model, checkpoint)
            self._pipeline = Compose(
                [
                    dict(type='mmseg.LoadImageFromNDArray'),
                    *_without_loading(dataset['pipeline']),
                ]
            )
            self.classes, self.palette = _names_and_colors(
                self.model.num_classes,
                dict(
                    checkpoint=meta.get('dataset_meta') or {},
                    config=_names_in_config(dataset),
                ),
            )
        self.model.to(device or get_device()).eval()

    @torch.no_grad()
    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Predict the class of every pixel of (H, W, 3) uint8, RGB: (H, W)."""
        with DefaultScope.overwrite_default_scope(self._scope):
            bgr = np.ascontiguousarray(image[..., ::-1])
            data = pseudo_collate([self._pipeline(dict(img=bgr))])
            (sample,) = self.model.test_step(data)
        return sample.pred_sem_seg.data[0].cpu().numpy().astype(np.int64)


def draw_segmentations(
    config: str | os.PathLike | Config,
    checkpoint: str | os.PathLike,
    inputs: str | os.PathLike | Sequence[str | os.PathLike],
    out_dir: str | os.PathLike,
    *,
    opacity: float = 0.5,
    names: bool = False,
    device: str | torch.device | None = None,
    show_progress: bool = False,
) -> list[Path]:
    """Segment images, and write the result over the image and by itself.

    ``overlay/NAME.png`` is the picture of mmsegmentation's visualizer with a
    legend, ``mask/NAME.png`` the classes as pixel values, with their colours
    as the palette.

    Args:
        config: See :class:`Segmentor`.
        checkpoint: See :class:`Segmentor`.
        inputs (str | PathLike | Sequence): Image files and folders, see
            :func:`~mcjepa_mm.apis.image_inputs.list_images`.
        out_dir (str | PathLike): Folder to write to; made if needed. Files
            that exist are replaced.
        opacity (float): Of the colours over the image, 0 to 1.
        names (bool): Whether to write the names of the classes into the
            picture; a legend is beside it in any case.
        device: See :class:`Segmentor`.
        show_progress (bool): Whether to draw a progress bar.

    Returns:
        list[Path]: The overlays.

    Raises:
        BadSampleError: If an image is damaged; the pictures before it stay.
        FileNotFoundError: If there is no such config, checkpoint or image.
        OSError: If a picture cannot be written.
        ValueError: If config and checkpoint do not go together, there are no
            images, or opacity is not from 0 to 1.
    """
    if not 0 <= opacity <= 1:
        raise ValueError(f'opacity must be from 0 to 1, got {opacity}')
    images = list_images(inputs)
    segmentor = Segmentor(config, checkpoint, device)
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    written = []
    items = track(images.items(), 'Classes', disable=not show_progress)
    for name, path in items:
        image = read_image(path, 'rgb')
        labels = segmentor(image)
        write_label_map(
            out_dir / 'mask' / f'{name}.png',
            labels.astype(np.uint8),
            np.array(segmentor.palette, np.uint8),
        )
        overlay = draw_segmentation(
            image,
            labels,
            segmentor.classes,
            segmentor.palette,
            opacity=opacity,
            names=names,
        )
        written.append(out_dir / 'overlay' / f'{name}.png')
        write_image(written[-1], overlay)
    return written


def _test_dataset(config: Config) -> Mapping[str, Any]:
    """The config of the data set of the test, out of its wrappers."""
    dataset = (config.get('test_dataloader') or {}).get('dataset')
    while dataset and 'pipeline' not in dataset:
        dataset = dataset.get('dataset')
    if not dataset or 'model' not in config:
        raise ValueError(
            'expected a config with a model, and a test_dataloader whose data '
            'set has a pipeline'
        )
    return dataset


def _without_loading(pipeline: Sequence[dict]) -> list[dict]:
    """The pipeline after the loading of images and truth."""
    return [
        transform
        for transform in pipeline
        if not str(transform['type']).rpartition('.')[2].startswith('Load')
    ]


def _names_in_config(dataset: Mapping[str, Any]) -> dict[str, Any]:
    """Names and colours of the config's data set, by itself or its class."""
    kind = dataset.get('type')
    if isinstance(kind, str):
        # get() by itself does not ask the default scope
        with DATASETS.switch_scope_and_registry(None) as registry:
            kind = registry.get(kind)
    return dict(getattr(kind, 'METAINFO', {})) | dict(
        dataset.get('metainfo') or {}
    )


def _names_and_colors(
    number: int, sources: Mapping[str, Mapping[str, Any]]
) -> tuple[list[str], list[list[int]]]:
    """The names and colours of the first source that has names."""
    if number > 256:
        raise ValueError(
            f'the model knows {number} classes, a mask holds up to 256'
        )
    # as mmseg's data sets choose those of classes without one
    palette = np.random.RandomState(42).randint(0, 255, (number, 3)).tolist()
    for name, source in sources.items():
        classes = list(source.get('classes') or ())
        if not classes:
            continue
        if len(classes) != number:
            raise ValueError(
                f'the model knows {number} classes, the {name} names '
                f'{len(classes)}: {classes[:5]} ...'
            )
        if len(source.get('palette') or ()) == number:
            palette = [list(color) for color in source['palette']]
        return classes, palette
    return [str(i) for i in range(number)], palette
