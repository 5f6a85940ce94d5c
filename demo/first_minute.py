"""Draw a frame of clip.mp4, its flow and its objects side by side.

By the weights that come with the package: run it anew when they change. It
writes docs/images/first_minute.png.
"""

from itertools import islice
from pathlib import Path

from mcjepa_mm.apis import FlowInferencer, VOSInferencer
from mcjepa_mm.utils.image_file import write_image
from mcjepa_mm.visualization import draw_objects, flow_to_rgb
from mcjepa_mm.visualization.contact_sheet import contact_sheet

HERE = Path(__file__).resolve().parent
FRAME = 20
FULL_COLOR = 10.0  # pixels


def main() -> None:
    """Draw it."""
    clip, mask = HERE / 'clip.mp4', HERE / 'first_mask.png'
    pairs = FlowInferencer('micro')(clip, max_frames=FRAME + 2)
    flow = pairs[FRAME].pred_flow_fw.data.numpy()
    followed = VOSInferencer('micro')(clip, mask)
    frame = next(islice(followed, FRAME, None))
    sheet = contact_sheet(
        ['a frame', 'its flow', 'its objects'],
        [
            [
                frame.image,
                flow_to_rgb(flow, FULL_COLOR),
                draw_objects(frame.image, frame.objects),
            ]
        ],
        [
            [
                f'number {FRAME}, {frame.image.shape[1]} px wide',
                f'to the next; full colour: {FULL_COLOR:g} px',
                'from the mask of number 0',
            ]
        ],
    )
    path = HERE.parent / 'docs' / 'images' / 'first_minute.png'
    write_image(path, sheet)
    print(f'{path}: {path.stat().st_size} bytes')


if __name__ == '__main__':
    main()
