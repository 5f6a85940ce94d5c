"""Registries of this package, children of mmengine's root registries.

A type written ``mcjepa_mm.X`` in any project's config is found here: mmengine
imports this module by its scope, and the first look-up in a registry imports
that registry's ``locations``. Every registry must name a location: without
one mmengine would look for ``mcjepa_mm.utils.register_all_modules``.
"""

from mmengine import registry as root
from mmengine.registry import Registry

_SCOPE = 'mcjepa_mm'
_ENGINE = ['mcjepa_mm.engine']
_EVALUATION = ['mcjepa_mm.evaluation']
_VISUALIZATION = ['mcjepa_mm.visualization']


def _child(parent: Registry, locations: list) -> Registry:
    return Registry(
        parent.name, parent=parent, scope=_SCOPE, locations=locations
    )


# Networks, heads, losses, data preprocessors.
MODELS = _child(root.MODELS, ['mcjepa_mm.models'])

# Nothing of this kind is added; without a registry of the scope mmengine
# warns in every log that it has searched for one.
OPTIMIZERS = _child(root.OPTIMIZERS, _ENGINE)
MODEL_WRAPPERS = _child(root.MODEL_WRAPPERS, _ENGINE)
WEIGHT_INITIALIZERS = _child(root.WEIGHT_INITIALIZERS, ['mcjepa_mm.models'])

# Data.
DATASETS = _child(root.DATASETS, ['mcjepa_mm.datasets'])
DATA_SAMPLERS = _child(root.DATA_SAMPLERS, ['mcjepa_mm.datasets'])
TRANSFORMS = _child(root.TRANSFORMS, ['mcjepa_mm.datasets.transforms'])
# Collate functions.
FUNCTIONS = _child(root.FUNCTIONS, ['mcjepa_mm.datasets'])

# The run.
HOOKS = _child(root.HOOKS, _ENGINE)
LOOPS = _child(root.LOOPS, _ENGINE)
OPTIM_WRAPPERS = _child(root.OPTIM_WRAPPERS, _ENGINE)
OPTIM_WRAPPER_CONSTRUCTORS = _child(root.OPTIM_WRAPPER_CONSTRUCTORS, _ENGINE)
PARAM_SCHEDULERS = _child(root.PARAM_SCHEDULERS, _ENGINE)
LOG_PROCESSORS = _child(root.LOG_PROCESSORS, _ENGINE)

# What is measured and seen.
METRICS = _child(root.METRICS, _EVALUATION)
EVALUATOR = _child(root.EVALUATOR, _EVALUATION)
VISUALIZERS = _child(root.VISUALIZERS, _VISUALIZATION)
VISBACKENDS = _child(root.VISBACKENDS, _VISUALIZATION)
