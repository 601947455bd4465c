"""A PyTorch module as a model: a factory of modules and a recipe of training."""

from __future__ import annotations

import copy
import importlib
import importlib.util
import inspect
import math
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias

import numpy as np
from annotated_types import Ge, Gt
from numpy.typing import NDArray

from mexbench.errors import ConfigError, PluginError
from mexbench.interfaces import ActionUnitModel
from mexbench.registry.parameters import build

# PyTorch is an optional extra: a type checker must pass where it is absent, so its types have names here alone.
TorchModule: TypeAlias = Any  # torch.nn.Module
TorchTensor: TypeAlias = Any  # torch.Tensor
TorchOptimizer: TypeAlias = Any  # torch.optim.Optimizer


@dataclass(frozen=True, kw_only=True)
class TorchRecipe:
    """How a module is trained.

    Args:
        epochs: Passes over the training side.
        batch_size: Samples of a step; the last batches are evened out, so that none has a single sample.
        optimizer: Adam, AdamW, or stochastic gradient descent with momentum 0.9.
        learning_rate: Step size, constant.
        weight_decay: L2 penalty; decoupled with adamw.
        class_weights: balanced weighs classes by the inverse of their frequency in training.
        label_smoothing: Share of the target that goes to all classes alike.
        device: auto takes a GPU where PyTorch has one.
    """

    epochs: Annotated[int, Ge(1)] = 30
    batch_size: Annotated[int, Ge(1)] = 32
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    learning_rate: Annotated[float, Gt(0)] = 1e-3
    weight_decay: Annotated[float, Ge(0)] = 0.0
    class_weights: Literal["balanced"] | None = None
    label_smoothing: Annotated[float, Ge(0)] = 0.0
    device: Literal["auto", "cpu", "cuda"] = "auto"

    @classmethod
    def of(cls, recipe: TorchRecipe | Mapping[str, object]) -> TorchRecipe:
        """Check the values of a recipe.

        Raises:
            ConfigError: Lists everything that is wrong with them.
        """
        if isinstance(recipe, TorchRecipe):
            return recipe
        built, errors = build(cls, recipe)
        if built is None:
            raise ConfigError("\n".join(f"recipe{''.join(f'.{key}' for key in path)}: {text}" for path, text in errors))
        return built


class TorchModel(ActionUnitModel):
    """A model that a PyTorch module is behind. A plugin implements ``module``, and may have a field ``recipe``."""

    recipe: TorchRecipe = TorchRecipe()

    @abstractmethod
    def module(self, shape: tuple[int, ...], n_outputs: int) -> TorchModule:
        """Return a new module, with weights drawn from PyTorch's generator, which is seeded.

        Args:
            shape: Of one sample as ``prepare`` makes it.
            n_outputs: Number of classes, or of action units; the module returns as many logits.
        """

    def provenance(self) -> Mapping[str, str]:
        """Return PyTorch's version: another one may train otherwise."""
        return {"torch": _torch().__version__}

    def prepare(self, x: NDArray[Any]) -> TorchTensor:
        """Turn samples (n, T, ...) into what the module takes, float32.

        Images (n, T, H, W, C) become (n, C, H, W), with time (n, T, C, H, W) where T is above 1, and bytes are
        divided by 255; features (n, T, D) become (n, D) or (n, T, D).
        """
        torch = _torch()
        values = np.array(x, dtype=np.float32)  # a copy: the samples are shared and read-only
        if x.dtype == np.uint8:
            values /= 255
        if values.ndim == 5:
            values = np.moveaxis(values, -1, 2)
        if values.shape[1] == 1:
            values = values[:, 0]
        return torch.from_numpy(np.ascontiguousarray(values))

    def fit(
        self, x: NDArray[Any], y: NDArray[np.intp], *, n_classes: int, groups: NDArray[np.str_], seed: int
    ) -> TorchPredictor:
        """Train by cross-entropy; scores are probabilities."""
        del groups
        torch = _torch()
        weights = None
        if self.recipe.class_weights == "balanced":
            counts = np.bincount(y, minlength=n_classes)
            weights = torch.tensor(np.where(counts, len(y) / (n_classes * np.maximum(counts, 1)), 0).astype(np.float32))
        return self._train(x, torch.from_numpy(np.array(y, dtype=np.int64)), n_classes, seed, weights)

    def fit_action_units(
        self, x: NDArray[Any], y: NDArray[np.bool_], *, groups: NDArray[np.str_], seed: int
    ) -> TorchPredictor:
        """Train by binary cross-entropy on every unit; scores are probabilities of presence."""
        del groups
        return self._train(x, _torch().from_numpy(np.array(y, dtype=np.float32)), y.shape[1], seed, None)

    def _train(
        self, x: NDArray[Any], targets: TorchTensor, n_outputs: int, seed: int, weights: TorchTensor | None
    ) -> TorchPredictor:
        torch = _torch()
        units, recipe = targets.ndim == 2, self.recipe
        device = torch.device(_device(recipe.device))
        inputs = self.prepare(x)
        with _reproducible(seed):
            module = self.module(tuple(inputs.shape[1:]), n_outputs)
            if not isinstance(module, torch.nn.Module):
                raise TypeError(f"the factory returned a {type(module).__qualname__}, expected a torch.nn.Module")
            module = module.to(device)
            if any(torch.nn.parameter.is_lazy(parameter) for parameter in module.parameters()):
                with torch.no_grad():
                    module.eval()(inputs[:1].to(device))  # gives lazy layers their shapes before the optimizer starts
            module.train()
            if weights is not None:
                weights = weights.to(device)
            smoothing = recipe.label_smoothing
            loss_of: Any = (
                torch.nn.BCEWithLogitsLoss() if units else torch.nn.CrossEntropyLoss(weights, label_smoothing=smoothing)
            )
            optimizer = _optimizer(module, recipe)
            history = []
            for _ in range(recipe.epochs):
                loss_sum, n_correct = 0.0, 0.0
                for batch in torch.tensor_split(torch.randperm(len(inputs)), _n_batches(len(inputs), recipe)):
                    wanted = targets[batch].to(device)
                    logits = module(inputs[batch].to(device))
                    if logits.shape != (len(batch), n_outputs):
                        raise ValueError(
                            f"the module returned {tuple(logits.shape)} for {len(batch)} samples, "
                            f"expected logits {(len(batch), n_outputs)}"
                        )
                    loss = loss_of(logits, wanted)
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                    loss_sum += float(loss.detach()) * len(batch)
                    correct = (logits > 0) == (wanted > 0.5) if units else logits.argmax(dim=1) == wanted
                    n_correct += float(correct.float().mean()) * len(batch)
                history.append({"loss": loss_sum / len(inputs), "accuracy": n_correct / len(inputs)})
        return TorchPredictor(self, module.cpu().eval(), n_outputs, units=units, history=tuple(history))


class FactoryModel(TorchModel):
    """A factory of the user's session.

    Args:
        factory: A function or class that returns a new module; arguments called ``n_classes`` and ``shape`` (of one
            sample as the module gets it) are given. A module itself is copied for every training, so that all start
            from its weights.
        recipe: How to train.
    """

    def __init__(self, factory: Any, recipe: TorchRecipe) -> None:  # noqa: ANN401
        _torch()
        self.factory = factory
        self.recipe = recipe

    def module(self, shape: tuple[int, ...], n_outputs: int) -> TorchModule:
        """Call the factory."""
        if isinstance(self.factory, _torch().nn.Module):
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
        units: Whether action units are the target.
        history: Loss and accuracy of each epoch, in training mode.
    """

    model: TorchModel
    module: TorchModule
    n_outputs: int
    units: bool
    history: tuple[Mapping[str, float], ...]

    def __call__(self, x: NDArray[Any], /) -> NDArray[np.float64]:
        """Return probabilities (n, n_outputs) for x (n, T, ...)."""
        torch = _torch()
        scores = [np.empty((0, self.n_outputs))]
        with torch.inference_mode(), _one_thread():
            for batch in torch.split(self.model.prepare(x), self.model.recipe.batch_size):
                logits = self.module(batch).double()
                scores.append((torch.sigmoid(logits) if self.units else torch.softmax(logits, dim=1)).numpy())
        return np.concatenate(scores)


def _n_batches(samples: int, recipe: TorchRecipe) -> int:
    """Return into how many batches of nearly equal size samples are cut: batch norm cannot use a single sample."""
    return min(math.ceil(samples / recipe.batch_size), max(samples // 2, 1)) if recipe.batch_size > 1 else samples


def _optimizer(module: TorchModule, recipe: TorchRecipe) -> TorchOptimizer:
    torch = _torch()
    rate, decay = recipe.learning_rate, recipe.weight_decay
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(module.parameters(), lr=rate, momentum=0.9, weight_decay=decay)
    kind = torch.optim.AdamW if recipe.optimizer == "adamw" else torch.optim.Adam
    return kind(module.parameters(), lr=rate, weight_decay=decay)


def _device(wanted: str) -> str:
    torch = _torch()
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ValueError("device cuda: PyTorch finds no GPU here; choose device cpu or auto")
    return "cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu"


@contextmanager
def _reproducible(seed: int) -> Iterator[None]:
    """Seed PyTorch's generators inside the block, and leave those of the session as they were."""
    torch = _torch()
    with torch.random.fork_rng(), torch.enable_grad(), _one_thread():
        torch.manual_seed(seed)
        yield


@contextmanager
def _one_thread() -> Iterator[None]:
    """Compute with one thread: the number of threads changes the order of sums, and so the last digits."""
    torch = _torch()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _torch() -> Any:  # noqa: ANN401 - the module
    """Import PyTorch.

    Raises:
        PluginError: It is not installed.
    """
    if importlib.util.find_spec("torch") is None:
        raise PluginError("a PyTorch module needs torch, which is not installed: pip install torch")
    return importlib.import_module("torch")
