"""Contact sheet of an encoder's feature pyramid."""

from collections.abc import Mapping, Sequence

import numpy as np

from .contact_sheet import add_footer, contact_sheet
from .feature_color import FeatureColors, features_of, fit_colors


def draw_pyramid_sheet(
    image: np.ndarray,
    pyramids: Mapping[str, Sequence[np.ndarray]],
    strides: Sequence[int],
    *,
    colors: Mapping[str, Sequence[FeatureColors]] | None = None,
    heading: str = '',
    notes: Sequence[str] = (),
) -> np.ndarray:
    """Draw an image and its feature maps as an RGB image, a row per encoder.

    A cell of a feature map covers the pixels that it stands for, so that
    every tile lies on the image exactly.

    Args:
        image (np.ndarray): (H, W, 3) uint8, RGB, as the encoders saw it.
        pyramids (Mapping): By the title of the row, the feature maps of one
            encoder, fine to coarse: (C, h, w) with h at least H / stride.
        strides (Sequence[int]): The stride of each level, pixels.
        colors (Mapping, optional): The colours of each row's levels.
            Defaults to None: every map has its own.
        heading (str): A line over everything.
        notes (Sequence[str]): Lines under the explanation of the colours.
    """
    titles = ['image', *(f'level {i}' for i in range(len(strides)))]
    rows, captions = [], []
    for title, maps in pyramids.items():
        if len(maps) != len(strides):
            raise ValueError(
                f'expected {len(strides)} feature maps of {title!r}, one for '
                f'each stride, got {len(maps)}'
            )
        used = (
            [fit_colors(features_of(x)) for x in maps]
            if colors is None
            else colors[title]
        )
        row, texts = [image], ['{1} x {0} px'.format(*image.shape)]
        for feat, stride, color in zip(maps, strides, used):
            row.append(_on_image(color(feat), stride, image.shape[:2]))
            texts.append(
                f'stride {stride}, {len(feat)} ch., {100 * color.share:.0f} %'
            )
        rows.append(row)
        captions.append(texts)
    sheet = contact_sheet(
        titles,
        rows,
        captions,
        heading=heading,
        row_titles=list(pyramids),
    )
    return add_footer(
        sheet,
        None,
        [
            'Colours: the first three principal components of the features, '
            'as red, green and blue. %: the part of the variance that they '
            'hold.',
            *notes,
        ],
    )


def _on_image(
    cells: np.ndarray, stride: int, size: tuple[int, int]
) -> np.ndarray:
    """Cells (h, w, 3) as squares of ``stride`` pixels, cut to the size."""
    large = cells.repeat(stride, axis=0).repeat(stride, axis=1)
    return large[: size[0], : size[1]]
