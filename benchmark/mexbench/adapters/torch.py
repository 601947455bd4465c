"""A PyTorch module as a model: a factory of modules and a recipe of training.

PyTorch is imported when a model trains, never with this module.
"""

from __future__ import annotations

import copy
import inspect
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mexbench.adapters import torch_files
from mexbench.adapters.torch_engine import TorchModule, TorchTensor, import_torch, one_thread
from mexbench.adapters.torch_inputs import Batches, inputs_of
from mexbench.adapters.torch_recipe import TorchRecipe
from mexbench.adapters.torch_training import class_weights, train
from mexbench.interfaces import ActionUnitModel, Predictor, Rows

__all__ = ["FactoryModel", "TorchModel", "TorchPredictor", "TorchRecipe"]


class TorchModel(ActionUnitModel):
    """A model that a PyTorch module is behind. A plugin implements ``module``, and may have a field ``recipe``.

        @dataclass(frozen=True, kw_only=True)
        class MyCNN(TorchModel):
            '''A convolution and a linear layer.'''

            source = "my own"
            recipe: TorchRecipe = RECIPE  # RECIPE = TorchRecipe(epochs=20) above the class

            def module(self, shape, n_outputs):
                from torch import nn

                return nn.Sequential(nn.Conv2d(shape[0], 8, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(n_outputs))

    Training, class weights, early stopping by subject, learning curves, seeds and saved models come with this base.
    Samples are read from the disk batch by batch where there are many. A class that has its own ``prepare``, which may
    look at all samples together, or its own ``fit``, is given an array of all of them instead; it says ``reads_rows =
    True`` if its ``prepare`` treats each sample by itself.
    """

    reads_rows: ClassVar[bool] = True
    recipe: TorchRecipe = TorchRecipe()

    def __init_subclass__(cls, **kwargs: Any) -> None:  # noqa: ANN401
        """See whether the class can be given rows."""
        super().__init_subclass__(**kwargs)
        if "reads_rows" not in vars(cls):
            own = (cls.prepare, cls.fit, cls.fit_action_units)
            base = (TorchModel.prepare, TorchModel.fit, TorchModel.fit_action_units)
            cls.reads_rows = own == base

    @abstractmethod
    def module(self, shape: tuple[int, ...], n_outputs: int) -> TorchModule:
        """Return a new module, with weights drawn from PyTorch's generator, which is seeded.

        Args:
            shape: Of one sample as ``prepare`` makes it.
            n_outputs: Number of classes, or of action units; the module returns as many logits.
        """

    def provenance(self) -> Mapping[str, str]:
        """Return PyTorch's version: another one may train otherwise."""
        return {"torch": import_torch().__version__}

    def prepare(self, x: NDArray[Any]) -> TorchTensor:
        """Turn samples (n, T, ...) into what the module takes, float32.

        Images (n, T, H, W, C) become (n, C, H, W), with time (n, T, C, H, W) where T is above 1, and bytes are
        divided by 255; features (n, T, D) become (n, D) or (n, T, D).
        """
        torch = import_torch()
        values = np.array(x, dtype=np.float32)  # a copy: the samples are shared and read-only
        if x.dtype == np.uint8:
            values /= 255
        if values.ndim == 5:
            values = np.moveaxis(values, -1, 2)
        if values.shape[1] == 1:
            values = values[:, 0]
        return torch.from_numpy(np.ascontiguousarray(values))

    def fit(
        self, x: NDArray[Any] | Rows, y: NDArray[np.intp], *, n_classes: int, groups: NDArray[np.str_], seed: int
    ) -> TorchPredictor:
        """Train by cross-entropy; scores are probabilities."""
        torch = import_torch()
        weights = class_weights(y, n_classes) if self.recipe.class_weights == "balanced" else None
        targets = torch.from_numpy(np.array(y, dtype=np.int64))
        return self._train(x, targets, n_classes, groups=groups, seed=seed, weights=weights)

    def fit_action_units(
        self, x: NDArray[Any] | Rows, y: NDArray[np.bool_], *, groups: NDArray[np.str_], seed: int
    ) -> TorchPredictor:
        """Train by binary cross-entropy on every unit; scores are probabilities of presence."""
        targets = import_torch().from_numpy(np.array(y, dtype=np.float32))
        return self._train(x, targets, y.shape[1], groups=groups, seed=seed)

    def save(self, predictor: Predictor, folder: Path) -> None:
        """Write the weights as safetensors and the rest as JSON.

        Raises:
            ValueError: A weight is not finite, or of a type that safetensors and numpy do not share.
        """
        if not isinstance(predictor, TorchPredictor):
            raise TypeError(f"{type(predictor).__name__} is not a predictor of {type(self).__name__}")
        about = torch_files.StoredNetwork(
            shape=predictor.shape, n_outputs=predictor.n_outputs, units=predictor.units,
            history=predictor.history, health=predictor.health,
        )  # fmt: skip
        torch_files.write(predictor.module, about, folder)

    def load(self, folder: Path) -> TorchPredictor:
        """Read what ``save`` wrote into a new module.

        Raises:
            ValueError: The weights are not those of this module, or are not finite.
        """
        module, about = torch_files.read(self.module, folder)
        return TorchPredictor(
            self, module, about.n_outputs, shape=about.shape, units=about.units, history=about.history,
            health=about.health,
        )  # fmt: skip

    def _train(
        self,
        x: NDArray[Any] | Rows,
        targets: TorchTensor,
        n_outputs: int,
        *,
        groups: NDArray[np.str_],
        seed: int,
        weights: TorchTensor | None = None,
    ) -> TorchPredictor:
        inputs = inputs_of(x, self.prepare)
        shape = tuple(inputs[:1].shape[1:])
        module, history, health = train(
            lambda: self.module(shape, n_outputs), self.recipe, inputs, targets,
            n_outputs=n_outputs, groups=groups, seed=seed, weights=weights,
        )  # fmt: skip
        return TorchPredictor(
            self, module, n_outputs, shape=shape, units=targets.ndim == 2, history=history, health=health
        )


class FactoryModel(TorchModel):
    """A factory of the user's session.

    Args:
        factory: A function or class that returns a new module; arguments called ``n_classes`` and ``shape`` (of one
            sample as the module gets it) are given. A module itself is copied for every training, so that all start
            from its weights.
        recipe: How to train.
    """

    def __init__(self, factory: Any, recipe: TorchRecipe) -> None:  # noqa: ANN401
        import_torch()
        self.factory = factory
        self.recipe = recipe

    def module(self, shape: tuple[int, ...], n_outputs: int) -> TorchModule:
        """Call the factory."""
        if isinstance(self.factory, import_torch().nn.Module):
            return copy.deepcopy(self.factory)
        try:
            taken = inspect.signature(self.factory).parameters
        except (TypeError, ValueError):
            taken = {}
        given = {"n_classes": n_outputs, "shape": shape}
        return self.factory(**{name: value for name, value in given.items() if name in taken})


@dataclass(frozen=True, eq=False)
class TorchPredictor:
    """A trained module.

    Args:
        model: Prepares samples.
        module: On the processor, in evaluation mode.
        n_outputs: Number of classes, or of units.
        shape: Of one sample as ``prepare`` makes it.
        units: Whether action units are the target.
        history: Loss and accuracy of each epoch, in training mode; of the validation part where there is one.
        health: What is known of its training side; see ``interfaces.Predictor``.
    """

    model: TorchModel
    module: TorchModule
    n_outputs: int
    shape: tuple[int, ...]
    units: bool
    history: tuple[Mapping[str, float], ...] = ()
    health: Mapping[str, float] = field(default_factory=dict)

    def __call__(self, x: NDArray[Any] | Rows, /) -> NDArray[np.float64]:
        """Return probabilities (n, n_outputs) for x (n, T, ...)."""
        torch = import_torch()
        scores = [np.empty((0, self.n_outputs))]
        inputs, everything = inputs_of(x, self.model.prepare), np.arange(len(x))
        with torch.inference_mode(), one_thread():
            for batch in Batches(inputs, everything, self.model.recipe.batch_size, "cpu"):
                logits = self.module(batch).double()
                scores.append((torch.sigmoid(logits) if self.units else torch.softmax(logits, dim=1)).numpy())
        return np.concatenate(scores)
