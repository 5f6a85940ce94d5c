"""Contact sheets of captioned images."""

from collections.abc import Sequence

import numpy as np

_FONT_SCALE = 0.5
_LINE = 24  # height of a line of text, pixels
_GAP = 8
_FRAME = 150  # grey line around a picture: most have white parts
_INK = (20, 20, 20)
_PAPER = 255


def draw_text(text: str, width: int, *, bold: bool = False) -> np.ndarray:
    """Write one line of ASCII text on white.

    Returns:
        np.ndarray: (24, width, 3) uint8, RGB.
    """
    import cv2

    scale, font = _FONT_SCALE, cv2.FONT_HERSHEY_SIMPLEX
    stroke = 2 if bold else 1
    # OpenCV crashes where a text, such as a file's name, is no UTF-8
    text = text.encode('ascii', 'replace').decode()
    (needed, _), _ = cv2.getTextSize(text, font, scale, stroke)
    line = np.full((_LINE, max(width, needed + 2), 3), _PAPER, np.uint8)
    cv2.putText(line, text, (1, 17), font, scale, _INK, stroke, cv2.LINE_AA)
    if line.shape[1] > width:
        line = cv2.resize(line, (width, _LINE), interpolation=cv2.INTER_AREA)
    return line


def beside(*pictures: np.ndarray, gap: int = _GAP) -> np.ndarray:
    """Pictures (H, W, 3) uint8 from left to right, on white."""
    height = max(map(len, pictures))
    padded = [
        np.pad(
            picture,
            ((0, height - len(picture)), (0, gap), (0, 0)),
            constant_values=_PAPER,
        )
        for picture in pictures
    ]
    return np.concatenate(padded, axis=1)[:, :-gap]


def _tile(image: np.ndarray | None, height: int, width: int) -> np.ndarray:
    """A picture in a framed box, with its aspect; None is light grey."""
    import cv2

    tile = np.full((height, width, 3), 235, np.uint8)
    if image is not None:
        scale = min(height / image.shape[0], width / image.shape[1])
        rows, columns = (max(1, round(x * scale)) for x in image.shape[:2])
        # nearest shows the pixels that there are, area does not alias
        mode = cv2.INTER_NEAREST if scale >= 1 else cv2.INTER_AREA
        image = cv2.resize(image, (columns, rows), interpolation=mode)
        tile[:rows, :columns] = image
    return np.pad(tile, ((1, 1), (1, 1), (0, 0)), constant_values=_FRAME)


def contact_sheet(
    titles: Sequence[str],
    rows: Sequence[Sequence[np.ndarray | None]],
    captions: Sequence[Sequence[str]],
    *,
    heading: str = '',
    row_titles: Sequence[str] | None = None,
    min_width: int = 192,
) -> np.ndarray:
    """Lay pictures out in rows under column titles, each with a caption.

    The first picture of the first row sets the size of all tiles: scaled up
    by a whole factor to at least ``min_width``, or down to 384 pixels.

    Args:
        titles (Sequence[str]): One title per column.
        rows (Sequence): Rows of (H, W, 3) uint8 RGB pictures, or None for
            an empty tile.
        captions (Sequence): Rows of captions, below the pictures.
        heading (str): A line over everything. Defaults to none.
        row_titles (Sequence[str], optional): A line over each row. Defaults
            to None.
        min_width (int): Least width of a tile, pixels.

    Returns:
        np.ndarray: (H, W, 3) uint8, RGB, on white.
    """
    if not rows:
        raise ValueError('a contact sheet needs at least one row')
    for row in (*rows, *captions):
        if len(row) != len(titles):
            raise ValueError(
                f'expected {len(titles)} entries in each row '
                f'and caption row, got {len(row)}'
            )
    for given, what in (
        (captions, 'rows of captions'),
        (row_titles, 'row titles'),
    ):
        if given is not None and len(given) != len(rows):
            raise ValueError(f'expected {len(rows)} {what}, got {len(given)}')
    first = rows[0][0]
    if first is None:
        raise ValueError('the first picture sets the size: it may not be None')
    height, width = first.shape[:2]
    if width < min_width:
        scale = -(-min_width // width)  # whole, so that pixels stay square
    else:
        scale = min(1, 384 / width)
    height, width = round(height * scale), round(width * scale)

    def lines(texts: Sequence[str], **style) -> np.ndarray:
        return beside(*(draw_text(text, width + 2, **style) for text in texts))

    parts = [lines(titles, bold=True)]
    for i, (row, texts) in enumerate(zip(rows, captions)):
        if row_titles is not None:
            parts.append(draw_text(row_titles[i], parts[0].shape[1]))
        parts.append(beside(*(_tile(image, height, width) for image in row)))
        parts.append(lines(texts))
    if heading:
        parts.insert(0, draw_text(heading, parts[0].shape[1], bold=True))
    return np.pad(
        np.concatenate(parts),
        ((_GAP, _GAP), (_GAP, _GAP), (0, 0)),
        constant_values=_PAPER,
    )


def add_footer(
    sheet: np.ndarray, picture: np.ndarray | None, lines: Sequence[str]
) -> np.ndarray:
    """Put lines of text, maybe with a picture at their left, under a sheet."""
    left, parts = _GAP, []
    if picture is not None:
        left += picture.shape[1] + 2 * _GAP
        parts = [
            np.pad(
                picture, ((0, 0), (0, _GAP), (0, 0)), constant_values=_PAPER
            )
        ]
    width = sheet.shape[1] - left - _GAP
    text = np.concatenate([draw_text(line, width) for line in lines])
    footer = beside(*parts, text)
    footer = np.pad(
        footer, ((0, _GAP), (_GAP, _GAP), (0, 0)), constant_values=_PAPER
    )
    return np.concatenate([sheet, footer])
