import datetime
import re

from mmengine.runner import LogProcessor, Runner

from mcjepa_mm.registry import LOG_PROCESSORS
from mcjepa_mm.utils.dist import unwrapped

WIDTH = 120
# what mmengine's logger puts before a line, '11/28 10:51:09 - ...'
_BEFORE = len('MM/DD hh:mm:ss - mmengine - INFO - ')


@LOG_PROCESSORS.register_module()
class ShortLogProcessor(LogProcessor):
    """mmengine's log processor with training lines within 120 columns.

    A line has the place, the sum of the losses, the sum of each task's terms
    (of a single task the terms), the time left, the seconds of a step and the
    learning rate, as far as there is room. TensorBoard and
    ``vis_data/scalars.json`` have every term.
    """

    def get_log_after_iter(
        self, runner: Runner, batch_idx: int, mode: str
    ) -> tuple[dict, str]:
        """Return all values for the backends, and the log line.

        Args:
            runner (Runner): The runner.
            batch_idx (int): Number of the batch.
            mode (str): 'train', 'val' or 'test'.

        Returns:
            tuple[dict, str]: Values by name, and the line.
        """
        tag, text = super().get_log_after_iter(runner, batch_idx, mode)
        if mode != 'train':
            return tag, text
        # 'Epoch(train)  [1][ 50/100]'
        line = re.findall(r'^.*?/\d+\]', text)[0]
        values = {k.removeprefix('train/'): v for k, v in tag.items()}
        items = [f'{k} {v:.3g}' for k, v in _losses(runner, values).items()]
        if 'eta' in runner.message_hub.runtime_info:
            eta = int(runner.message_hub.get_info('eta'))
            items.append(f'eta {datetime.timedelta(seconds=eta)}')
        if 'time' in values:
            items.append(f'{values["time"]:.2f} s')
        if 'lr' in values:
            items.append(f'lr {values["lr"]:.1e}')
        for item in items:
            if _BEFORE + len(line) + 1 + len(item) <= WIDTH:
                line += f' {item}'
        return tag, line


def _losses(runner: Runner, values: dict) -> dict[str, float]:
    """The total loss, then each task's; of one task, its terms."""
    losses = {'loss': values['loss']} if 'loss' in values else {}
    heads = getattr(unwrapped(runner.model), 'heads', {})
    terms: dict[str, dict[str, float]] = {}
    for name, value in values.items():
        task, _, term = name.partition('.')
        if term and task in heads:
            terms.setdefault(task, {})[term] = value
    if not terms:  # of another project's model
        others = {k: v for k, v in values.items() if 'loss' in k}
        return losses | others
    if len(terms) == 1:
        return losses | next(iter(terms.values()))
    return losses | {task: sum(x.values()) for task, x in terms.items()}
