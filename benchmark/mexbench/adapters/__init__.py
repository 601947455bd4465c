"""Estimators of scikit-learn and modules of PyTorch as models: ``adapters.sklearn`` and ``adapters.torch``.

The bases ``SklearnModel`` and ``TorchModel`` are for plugins; ``as_model`` adapts an object of the user's session.
Neither library is imported before a model is trained.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mexbench.errors import ConfigError
from mexbench.interfaces import Model

if TYPE_CHECKING:
    from mexbench.adapters.torch import TorchRecipe

_EXPECTED = (
    "expected a scikit-learn estimator or pipeline, an object with 'fit' and 'predict', a function or class that "
    "returns a torch.nn.Module, or a mexbench.interfaces.Model"
)


def as_model(model: object, *, recipe: TorchRecipe | Mapping[str, Any] | None = None, flatten: bool = True) -> Model:
    """Return a model that trains as an object does.

    Args:
        model: A ``Model``, an estimator, an object with ``fit`` and ``predict``, or a factory of PyTorch modules.
        recipe: How a PyTorch module is trained, see ``mexbench.adapters.torch.TorchRecipe``.
        flatten: Whether estimators get samples as rows of a table (n, features), or as they are (n, T, ...).

    Raises:
        ConfigError: The object is none of these, or the recipe is for another kind of object.
    """
    is_module = _is_torch_module(model)
    is_estimator = not isinstance(model, type) and hasattr(model, "fit") and hasattr(model, "predict")
    if isinstance(model, Model) or (is_estimator and not is_module):
        if recipe is not None:
            raise ConfigError(f"recipe: is for PyTorch modules, not for {_kind(model)}; leave it out")
        if isinstance(model, Model):
            return model
        from mexbench.adapters.sklearn import EstimatorModel

        return EstimatorModel(model, flatten=flatten)
    if isinstance(model, type) and (issubclass(model, Model) or (hasattr(model, "fit") and not is_module)):
        raise ConfigError(f"model: got the class {model.__qualname__}; give an object of it: {model.__qualname__}(...)")
    if is_module or callable(model):
        from mexbench.adapters.torch import FactoryModel, TorchRecipe

        return FactoryModel(model, TorchRecipe.of(recipe or {}))
    raise ConfigError(f"model: {_EXPECTED}; got {_kind(model)}")


def default_name(model: object) -> str:
    """Return what a table calls an object: the name of its class or function; that of a pipeline's last step."""
    steps = getattr(model, "steps", None)
    if isinstance(steps, list) and steps:
        return default_name(steps[-1][1])
    name = getattr(model, "__name__", type(model).__name__)
    return "module" if name == "<lambda>" else name.lstrip("_") or "model"


def _kind(model: object) -> str:
    return f"a {type(model).__qualname__}"


def _is_torch_module(model: object) -> bool:
    torch = sys.modules.get("torch")  # an object of a library that is not loaded does not exist
    if torch is None:
        return False
    return isinstance(model, torch.nn.Module) or (isinstance(model, type) and issubclass(model, torch.nn.Module))
