import torch
from mmengine.dist import all_gather
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.utils.data import DataLoader

from mcjepa_mm.engine.worker_signals import end_workers
from mcjepa_mm.registry import HOOKS
from mcjepa_mm.utils.dist import unwrapped


@HOOKS.register_module()
class FeatureBankHook(Hook):
    """Fill the bank of a ``KNNHead`` before each validation and test.

    The model is one of mmpretrain's classifiers: ``extract_feat(inputs,
    stage='pre_logits')`` returns the embedding. With several processes each
    extracts its share, and all get the whole bank. A picture that the sampler
    gives to two processes is in the bank once.

    Args:
        dataloader (dict): Config of the dataloader of labelled pictures, best
            with the pipeline of the test. Samples need ``sample_idx`` and
            ``gt_label``, as mmpretrain's data sets and ``PackInputs`` give
            them.
        interval (int): Batches between two lines in the log. Defaults to 100.
    """

    def __init__(self, dataloader: dict, interval: int = 100) -> None:
        self.dataloader = dataloader
        self.interval = interval
        self._loader: DataLoader | None = None

    def before_val(self, runner: Runner) -> None:
        self._fill(runner)

    def before_test(self, runner: Runner) -> None:
        self._fill(runner)

    def after_run(self, runner: Runner) -> None:
        """Shut down the workers that read the images."""
        if self._loader is not None:
            end_workers(self._loader)

    def _fill(self, runner: Runner) -> None:
        model = unwrapped(runner.model)
        head = getattr(model, 'head', None)
        if head is None or not hasattr(head, 'fill'):
            raise TypeError(
                'FeatureBankHook fills the bank of a KNNHead; the head of '
                f'this model is a {type(head).__name__}'
            )
        if self._loader is None:
            self._loader = Runner.build_dataloader(
                self.dataloader, seed=runner.seed
            )
        # As the loop does after this hook.
        model.eval()
        loader = self._loader
        index, labels, features = self._extract(model, runner, loader)
        head.fill(*_in_order(index, labels, features, len(loader.dataset)))
        runner.logger.info(f'Feature bank: {len(head.bank)} pictures.')

    @torch.no_grad()
    def _extract(
        self, model: nn.Module, runner: Runner, loader: DataLoader
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Features of this process: sample_idx (n,), labels (n,), (n, D)."""
        index, labels, features = [], [], []
        for number, batch in enumerate(loader, 1):
            data = model.data_preprocessor(batch, False)
            feat = model.extract_feat(data['inputs'], stage='pre_logits')
            features.append(feat.float())
            for sample in data['data_samples']:
                for key in ('sample_idx', 'gt_label'):
                    if key not in sample:
                        raise KeyError(
                            f'a sample of the feature bank has no {key}, it '
                            f'has {sorted(sample.all_keys())}; end its '
                            "pipeline with mmpretrain's PackInputs"
                        )
                index.append(sample.sample_idx)
                labels.append(int(sample.gt_label))
            if number % self.interval == 0:
                runner.logger.info(
                    f'Feature bank: batch {number} of {len(loader)}'
                )
        features = torch.cat(features)
        return (
            torch.tensor(index, device=features.device),
            torch.tensor(labels, device=features.device),
            features,
        )


def _in_order(
    index: Tensor, labels: Tensor, features: Tensor, total: int
) -> tuple[Tensor, Tensor]:
    """Gather features (total, D) and labels (total,), ordered by sample.

    Raises:
        ValueError: If a sample of the data set is missing.
    """
    # Shares may differ in length, and only equal ones can be gathered.
    longest = max(int(x) for x in all_gather(torch.tensor(len(index))))
    rows = longest - len(index)
    index = nn.functional.pad(index, (0, rows), value=-1)
    labels = nn.functional.pad(labels, (0, rows))
    features = nn.functional.pad(features, (0, 0, 0, rows))
    bank = features.new_empty(total, features.shape[1])
    bank_labels = labels.new_empty(total)
    filled = torch.zeros(total, dtype=torch.bool, device=index.device)
    for i, label, feature in zip(
        *(all_gather(x) for x in (index, labels, features)), strict=True
    ):
        real = i >= 0
        bank[i[real]] = feature[real]
        bank_labels[i[real]] = label[real]
        filled[i[real]] = True
    if not filled.all():
        raise ValueError(
            f'only {int(filled.sum())} of the {total} pictures of the data '
            'set came; the dataloader of a feature bank must not drop_last, '
            'and its sampler must reach every sample'
        )
    return bank, bank_labels
