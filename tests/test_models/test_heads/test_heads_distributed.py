"""Two processes whose batches differ: both refuse, neither waits."""

import pytest
import torch

STUDENT = dict(type='mcjepa_mm.SelfSupervisionLoss', border=4)


def flow_losses(toys):
    """Motion tasks, of which not all have a loss over the global batch."""
    vc = toys.TERMS['vc']
    rest = {k: cfg for k, cfg in toys.TERMS.items() if k != 'vc'}
    return dict(
        all_terms=dict(toys.TERMS, student=STUDENT),
        # so few that the processes would draw for different levels
        few_samples=dict(vc=dict(vc, max_samples=150)),
        local_vc=dict(vc=dict(vc, gather=False)),
        no_vc=rest,
        student=dict(student=STUDENT),
    )


def refusals(samples):
    """What each head says to a batch of so many samples."""
    import test_flow_head as toys  # beside this script

    from mcjepa_mm.models.heads import VICRegHead

    found = {}

    def collect(name, head, inputs, feats):
        try:
            head.loss(feats, inputs, encode=lambda views: feats)
        except ValueError as error:
            found[name] = str(error)

    for norm in ('BN', 'LN'):
        head = VICRegHead(6, (10, 12, 8), norm=norm)
        feats = (torch.randn(2 * samples, 6, 2, 2),)
        collect(norm, head, torch.zeros(samples, 2, 3, 16, 16), feats)
    for name, losses in flow_losses(toys).items():
        head = toys.build(losses=losses)
        collect(name, head, *toys.example(head, samples))
    return found


def share(rank, folder):
    return refusals(2 + rank), refusals(2)


@pytest.mark.slow
def test_unequal_batches_are_refused_by_every_process(tmp_path, two_processes):
    heads = ['BN', 'LN', 'all_terms', 'few_samples', 'local_vc', 'no_vc']
    for unequal, equal in two_processes(__file__, tmp_path):
        assert list(unequal) == [*heads, 'student']
        for name, message in unequal.items():
            assert 'drop_last=True in every dataloader' in message, name
        assert equal == {}
