"""A step of the default job does the work that is on file, and no more.

Operators, copies and allocated memory are counted, not seconds, so that a
step cannot become slower unnoticed. After a change that is meant to alter
them, write them anew, and look at what became more:

    python tests/test_engine/test_step_counts.py
"""

import json
import sys
from collections import Counter
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from torch.profiler import ProfilerActivity, profile

REPO = Path(__file__).resolve().parents[2]
COUNTS = Path(__file__).with_name('step_counts.json')
OPERATORS = (
    'addmm',
    'addmm_',
    'baddbmm_',
    'bmm',
    'cat',
    'clone',
    'convolution',
    'convolution_backward',
    'copy_',
    'grid_sampler_2d',
    'grid_sampler_2d_backward',
    'index_select',
    'mm',
    'native_layer_norm',
    'native_layer_norm_backward',
)
# Modules whose calls are counted, and how often a step calls each: the
# encoder once a task, the expander once a view.
CALLS = {
    'backbone': 2,
    'heads.content.expander': 2,
    'heads.motion.decoder': 1,
}


def environment() -> dict:
    """What decides which operators torch takes for the same work."""
    return dict(
        torch=torch.__version__,
        instructions=torch.backends.cpu.get_cpu_capability(),
    )


def count_step() -> tuple[dict, Counter]:
    """Counts of the second step, and of the calls of some modules."""
    sys.path.insert(0, str(REPO))
    import mcjepa_mm  # noqa: F401  (patches imports)
    from mcjepa_mm.registry import MODELS

    cfg = Config.fromfile(REPO / 'configs' / 'mcjepa_convnext.py')
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    optimizer = build_optim_wrapper(model, cfg.optim_wrapper)
    calls = Counter()
    for name in CALLS:
        model.get_submodule(name).register_forward_hook(
            lambda *_, name=name: calls.update([name])
        )

    def step():
        # as the loader gives them
        views = {
            'content': torch.randint(256, (8, 2, 3, 64, 64)),
            'motion': torch.randint(256, (2, 2, 3, 64, 128)),
        }
        model.train_step(
            {task: dict(inputs=x.byte()) for task, x in views.items()},
            optimizer,
        )

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # more of them share some work by copies
    try:
        step()
        calls.clear()
        with profile(
            activities=[ProfilerActivity.CPU], profile_memory=True
        ) as p:
            step()
    finally:
        torch.set_num_threads(threads)
    events = [x for x in p.events() if x.name.startswith('aten::')]
    names = Counter(x.name.removeprefix('aten::') for x in events)
    counts = {name: names[name] for name in OPERATORS}
    counts['all operators'] = len(events)
    counts['allocated bytes'] = sum(
        x.self_cpu_memory_usage for x in events if x.self_cpu_memory_usage > 0
    )
    return counts, calls


def test_a_step_does_what_is_on_file():
    counts, calls = count_step()
    assert calls == CALLS
    stored = json.loads(COUNTS.read_text())
    more = {
        name: f'{count}, on file {stored["counts"][name]}'
        for name, count in counts.items()
        if count > stored['counts'][name] * allowance(stored)
    }
    assert not more, f'a step does more than before: {more}'


def allowance(stored: dict) -> float:
    # Other versions and processors split the same work otherwise.
    return 1 if environment() == stored['environment'] else 1.2


if __name__ == '__main__':
    content = dict(environment=environment(), counts=count_step()[0])
    COUNTS.write_text(json.dumps(content, indent=1) + '\n')
