from mmengine.model import ModuleDict
from mmengine.structures import BaseDataElement
from torch import Tensor

from mcjepa_mm.registry import MODELS

from ..base_model import ModeModel
from ..heads.base_pretext_head import build_head
from .compiled import compile_modules


@MODELS.register_module()
class MultiTaskPretrainer(ModeModel):
    """Train one encoder on several pretext tasks at once.

    MC-JEPA is the two tasks ``content`` (a VICRegHead) and ``motion`` (a
    FlowHead); with one of them alone it is VICReg or M-JEPA (paper section 3,
    P). The encoder runs once for each task, over all its views; each head
    turns its features into a loss; the sum has one backward.

    A task whose batch is absent costs nothing and leaves its head's
    parameters without a gradient, so the optimiser does not move them.

    Several processes train as one does on all their batches together: the
    means over them of the terms and of the gradients are the same, if they
    bring batches of one size. Two things are each process's own and make a
    difference: what a dropout leaves out (stochastic depth,
    ``level_dropout``), and the statistics of a batch norm in the backbone
    without ``sync_bn``.

    Args:
        backbone (dict): Config of the encoder: images (N, 3, H, W) to a
            pyramid of maps, fine to coarse.
        heads (dict[str, dict]): Config of each task's head, see
            :class:`BasePretextHead`. What it needs to know of the encoder
            and of the images comes from those. A head that is None is left
            out, so that a config can drop an inherited one.
        data_preprocessor (dict): Config of the preprocessor, which knows the
            same tasks.
        compile (dict, optional): ``modules``, the names of those whose
            ``forward`` ``torch.compile`` compiles, such as 'backbone' or
            'heads.motion.decoder', and its options, see
            :func:`~mcjepa_mm.models.pretrainers.compiled.compile_modules`.
            Defaults to None: nothing is compiled.
        init_cfg (dict, optional): mmengine's initialisation.

    Raises:
        ValueError: If there is no head, one does not fit the encoder or the
            preprocessor, or ``compile`` names a module that is not there.
    """

    def __init__(
        self,
        backbone: dict,
        heads: dict[str, dict],
        data_preprocessor: dict | None = None,
        compile: dict | None = None,
        init_cfg: dict | list | None = None,
    ) -> None:
        super().__init__(data_preprocessor, init_cfg)
        heads = {task: cfg for task, cfg in heads.items() if cfg}
        if not heads:
            raise ValueError(
                'MultiTaskPretrainer needs at least one head, '
                'got none: name a task and its head in `heads`.'
            )
        self.backbone = MODELS.build(backbone)
        # mmengine's ModuleDict, because init_weights passes torch's by.
        own = getattr(self.data_preprocessor, 'tasks', {})
        self.heads = ModuleDict(
            {
                task: build_head(
                    cfg,
                    self.backbone,
                    # a ModuleDict has no get
                    own[task] if task in own else None,  # noqa: SIM401
                )
                for task, cfg in heads.items()
            }
        )
        if compile:
            compile_modules(self, **compile)

    def extract_feat(self, views: Tensor) -> tuple[Tensor, ...]:
        """(N, V, 3, H, W) to the pyramid of N * V images, sample-major."""
        return tuple(self.backbone(views.flatten(0, 1)))

    def tensor(
        self, inputs: dict[str, Tensor]
    ) -> dict[str, tuple[Tensor, ...]]:
        """Return the pyramid of every task."""
        return {task: self.extract_feat(x) for task, x in inputs.items()}

    def loss(
        self,
        inputs: dict[str, Tensor],
        data_samples: dict[str, list] | None = None,
    ) -> dict[str, Tensor]:
        """Return the weighted terms of every task that has a batch.

        Args:
            inputs (dict[str, Tensor]): (N, V, 3, H, W) for each task.
            data_samples (dict[str, list], optional): Not used.

        Returns:
            dict[str, Tensor]: Scalars, named ``task.term``.
        """
        losses = {}
        for task, views in inputs.items():
            head = self.heads[task]
            feats = self.extract_feat(views) if head.needs_feats else ()
            terms = head.loss(feats, views, self.extract_feat)
            losses.update(
                {
                    f'{task}.{name}': head.loss_weight * term
                    for name, term in terms.items()
                }
            )
        return losses

    def predict(
        self, inputs: dict[str, Tensor], data_samples: dict[str, list]
    ) -> list[BaseDataElement]:
        """Add the heads' predictions to their data samples.

        Args:
            inputs (dict[str, Tensor]): (N, V, 3, H, W) for each task.
            data_samples (dict[str, list]): Of each task, N or None.

        Returns:
            list[BaseDataElement]: Those of all tasks, in order.
        """
        results = []
        for task, views in inputs.items():
            samples = data_samples[task]
            if samples is None:
                samples = [BaseDataElement() for _ in views]
            results += self.heads[task].predict(
                self.extract_feat(views), views, samples
            )
        return results

    def parse_losses(
        self, losses: dict[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Sum all terms. mmengine's rule would take only names with 'loss'."""
        total = sum(losses.values())
        return total, dict(loss=total, **losses)
