"""Draw the flow of motions that are known exactly, beside the truth.

Moves one picture as a whole: it slides, grows, shrinks and turns. Prints the
end-point error of each motion and draws predicted and true flow.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from _command_line import prefer_checkout, run

# Slide in x and y (pixels), growth, and turn (degrees).
MOTIONS = {
    'slides by (5, -3) px': (5.0, -3.0, 1.0, 0.0),
    'slides by (-8, 0) px': (-8.0, 0.0, 1.0, 0.0),
    'grows by 8 %': (0.0, 0.0, 1.08, 0.0),
    'shrinks by 8 %': (0.0, 0.0, 0.92, 0.0),
    'turns by 5 degrees': (0.0, 0.0, 1.0, 5.0),
}
MARGIN = 32  # around a frame, so that nothing is invented at its border


def load_picture(path: str | None, size: tuple[int, int]):
    """A BGR picture of the size with its margin."""
    import cv2

    from mcjepa_mm.datasets import EmbeddedWorld
    from mcjepa_mm.datasets.transforms import read_image

    height, width = (side + 2 * MARGIN for side in size)
    if path is None:
        world = EmbeddedWorld((height, width), seed=(0, 9))
        return world.scene(0).frame(0)[..., ::-1].copy()
    picture = read_image(path)
    ratio = max(height / picture.shape[0], width / picture.shape[1])
    shape = [max(round(side * ratio), 1) for side in picture.shape[1::-1]]
    picture = cv2.resize(picture, shape, interpolation=cv2.INTER_AREA)
    return picture[:height, :width]


def move(picture, motion):
    """Both frames, and the true flow (2, H, W)."""
    import cv2
    import numpy as np

    x, y, growth, turn = motion
    height, width = picture.shape[:2]
    centre = ((width - 1) / 2, (height - 1) / 2)
    matrix = cv2.getRotationMatrix2D(centre, turn, growth)
    matrix[:, 2] += x, y
    moved = cv2.warpAffine(
        picture, matrix, (width, height), flags=cv2.INTER_CUBIC
    )
    grid = np.stack(
        np.meshgrid(np.arange(width), np.arange(height)), axis=-1
    ).astype(np.float64)
    flow = grid @ matrix[:, :2].T + matrix[:, 2] - grid
    inner = np.s_[MARGIN:-MARGIN, MARGIN:-MARGIN]
    frames = [np.ascontiguousarray(x[inner]) for x in (picture, moved)]
    return frames, flow[inner].transpose(2, 0, 1)


def main() -> None:
    """Predict, draw, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config of an estimator or pretraining')
    parser.add_argument('checkpoint', help='its checkpoint')
    parser.add_argument('out', help='picture to write, a .png')
    parser.add_argument(
        '--image', help='picture to move; default: one of the embedded world'
    )
    parser.add_argument('--size', type=int, nargs=2, default=(128, 128))
    args = parser.parse_args()
    prefer_checkout()
    import numpy as np

    from mcjepa_mm.apis import FlowInferencer
    from mcjepa_mm.utils.image_file import write_image
    from mcjepa_mm.visualization import flow_legend, flow_to_rgb
    from mcjepa_mm.visualization.contact_sheet import add_footer, contact_sheet

    inferencer = FlowInferencer(args.config, args.checkpoint)
    picture = load_picture(args.image, tuple(args.size))
    rows, captions, scale = [], [], 10.0
    for name, motion in MOTIONS.items():
        frames, truth = move(picture, motion)
        (sample,) = inferencer(frames, show_progress=False)
        flow = sample.pred_flow_fw.data.numpy()
        error = np.hypot(*(flow - truth)).mean()
        print(
            f'{name}: EPE {error:.2f} px, true motion '
            f'{np.hypot(*truth).mean():.2f} px on average'
        )
        rows.append(
            [
                *(frame[..., ::-1] for frame in frames),
                flow_to_rgb(flow, scale),
                flow_to_rgb(truth, scale),
            ]
        )
        captions.append(['', name, f'EPE {error:.2f} px', ''])
    sheet = contact_sheet(
        ['frame t', 'frame t+1', 'predicted flow', 'true flow'], rows, captions
    )
    note = 'The whole picture moves. All flow pictures share this scale.'
    sheet = add_footer(sheet, flow_legend(110, scale), [note])
    try:
        write_image(args.out, sheet)
    except (ValueError, OSError) as error:
        raise SystemExit(str(error)) from error
    print(f'picture: {args.out}')


if __name__ == '__main__':
    run(main)
