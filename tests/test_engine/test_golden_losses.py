"""Twenty steps of the default job give the losses that are on file.

After a change that is meant to alter them, write them anew:

    python tests/test_engine/test_golden_losses.py
"""

import json
import sys
import tempfile
import zlib
from pathlib import Path

import pytest
import torch

REPO = Path(__file__).resolve().parents[2]
GOLDEN = Path(__file__).with_name('golden_losses.json')
STEPS = 20


def environment() -> dict:
    """What the last bits of a result on a CPU depend on."""
    info = Path('/proc/cpuinfo')
    lines = info.read_text().splitlines() if info.exists() else []
    cpu = {
        line
        for line in lines
        if line.startswith(('model', 'stepping', 'flags'))
    }
    return dict(
        torch=torch.__version__,
        instructions=torch.backends.cpu.get_cpu_capability(),
        cpu=zlib.crc32('\n'.join(sorted(cpu)).encode()),
    )


def losses_of_default_job(folder: Path) -> list[dict]:
    """Train for some steps on one thread."""
    sys.path[:0] = [str(REPO), str(REPO / 'tests' / 'toys')]
    from loss_record import BrokenOffError, read_losses

    from mcjepa_mm.engine.launch import build_runner, load_config

    cfg = load_config(
        str(REPO / 'configs' / 'mcjepa_convnext.py'),
        work_dir=str(folder / 'work'),
    )
    cfg.experiment_name = folder.name
    record = folder / 'losses.jsonl'
    cfg.custom_hooks.append(
        dict(type='LossRecordHook', path=str(record), break_after=STEPS - 1)
    )
    runner = build_runner(cfg)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with pytest.raises(BrokenOffError):
            runner.train()
    finally:
        torch.set_num_threads(threads)
        del sys.path[:2]
    return [losses for (losses,) in read_losses(record).values()]


@pytest.mark.slow
def test_default_job_gives_the_losses_on_file(tmp_path):
    golden = json.loads(GOLDEN.read_text())
    losses = losses_of_default_job(tmp_path)
    assert len(losses) == len(golden['losses']) == STEPS
    if environment() == golden['environment']:
        assert losses == golden['losses']
        return
    # Another machine rounds otherwise, and training magnifies that.
    for step, expected in zip(losses[:3], golden['losses']):
        assert step == pytest.approx(expected, rel=1e-3)
    again = tmp_path / 'again'
    again.mkdir()
    assert losses == losses_of_default_job(again)


if __name__ == '__main__':
    with tempfile.TemporaryDirectory() as folder:
        content = dict(
            environment=environment(),
            losses=losses_of_default_job(Path(folder)),
        )
    GOLDEN.write_text(json.dumps(content, indent=1) + '\n')
