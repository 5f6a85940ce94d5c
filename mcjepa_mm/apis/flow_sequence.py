"""Flow of a frame stream that encodes every frame once."""

import itertools
from collections.abc import Iterable, Iterator

import torch
from mmengine.model import BaseModel
from mmengine.structures import BaseDataElement, PixelData
from torch import Tensor

from mcjepa_mm.datasets.bad_samples import BadSampleError

from .flow_inputs import Frame, FrameStream


def estimate_flow(
    model: BaseModel,
    stream: FrameStream,
    batch_size: int,
    bidirectional: bool,
) -> Iterator[tuple[Frame, BaseDataElement]]:
    """The first frame and the prediction of each pair, as frames come in.

    Every frame is encoded once; the last one of a batch waits, encoded, for
    the next batch.

    Raises:
        BadSampleError: If the size changes within a clip.
        ValueError: If there is no pair.
    """
    last: list[Frame] = []
    last_feats: tuple[Tensor, ...] = ()
    count = 0
    for frames in _batches(stream.frames, batch_size):
        feats = _encode(model, frames)
        if last and last[0].clip == frames[0].clip:
            frames = last + frames
            feats = tuple(map(torch.cat, zip(last_feats, feats)))
        # a copy, so that the rest of the batch can be freed
        last, last_feats = (
            frames[-1:],
            tuple(x[-1:].clone() for x in feats),
        )
        firsts = [
            i
            for i, (a, b) in enumerate(itertools.pairwise(frames))
            if a.clip == b.clip
        ]
        if not firsts:
            continue
        count += len(firsts)
        pairs = [(frames[i], frames[i + 1]) for i in firsts]
        samples = _predict(
            model,
            pairs,
            [x[firsts] for x in feats],
            [x[[i + 1 for i in firsts]] for x in feats],
            bidirectional,
        )
        for (first, _), sample in zip(pairs, samples):
            yield first, sample
    if not count:
        raise ValueError(
            f'{stream.title}: flow needs two frames, there is no second'
        )


@torch.no_grad()
def _encode(model: BaseModel, frames: list[Frame]) -> tuple[Tensor, ...]:
    """The pyramid of frames of one size."""
    images = [torch.from_numpy(x.image).permute(2, 0, 1) for x in frames]
    # mmflow's preprocessor knows frames in pairs only
    images += images[-1:] * (len(images) % 2)
    pairs = [torch.stack(x) for x in zip(images[::2], images[1::2])]
    data = dict(inputs=pairs, data_samples=None)
    inputs = model.data_preprocessor(data, False)['inputs']
    inputs = inputs.unflatten(1, (2, 3)).flatten(0, 1)[: len(frames)]
    return model.encode(inputs, model.scale)


@torch.no_grad()
def _predict(
    model: BaseModel,
    pairs: list[tuple[Frame, Frame]],
    feats1: list[Tensor],
    feats2: list[Tensor],
    bidirectional: bool,
) -> list[BaseDataElement]:
    """The samples of pairs, from the pyramids of their frames."""
    from mmflow.structures import FlowDataSample

    size = pairs[0][0].image.shape[:2]
    results = model.estimate(feats1, feats2, size, bidirectional)
    results = {name: batch.cpu() for name, batch in results.items()}
    samples = []
    for i, (first, second) in enumerate(pairs):
        sample = FlowDataSample(
            metainfo=dict(
                img1_path=first.path,
                img2_path=second.path,
                ori_shape=size,
                img_shape=size,
                frame_name=first.name,
            )
        )
        for name, batch in results.items():
            # a copy: one kept sample must not keep the batch
            data = PixelData(data=batch[i].clone())
            sample.set_field(data, f'pred_{name}')
        samples.append(sample)
    return samples


def _batches(
    frames: Iterable[Frame], batch_size: int
) -> Iterator[list[Frame]]:
    """Frames in groups of one size, at most ``batch_size`` each."""
    batch: list[Frame] = []
    before: Frame | None = None
    for frame in frames:
        if before is not None and before.image.shape != frame.image.shape:
            _refuse_within_a_clip(before, frame)
            if batch:
                yield batch
            batch = []
        batch.append(frame)
        before = frame
        if len(batch) == batch_size:
            yield batch
            batch = []
    if batch:
        yield batch


def _refuse_within_a_clip(before: Frame, frame: Frame) -> None:
    if before.clip == frame.clip:
        (height, width), (h, w) = before.image.shape[:2], frame.image.shape[:2]
        raise BadSampleError(
            f'{frame.path or "array"}, frame {frame.name}, is {h} x {w} '
            f'pixels (height x width), the one before it, {before.name}, is '
            f'{height} x {width}; frames that follow each other must have '
            'one size',
            frame.path,
        )
