"""How a PyTorch module is trained on one training side."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mexbench.adapters.torch_batch_norm import set_exact_statistics
from mexbench.adapters.torch_engine import (
    TorchModule,
    TorchOptimizer,
    TorchTensor,
    device_name,
    import_torch,
    reproducible,
)
from mexbench.adapters.torch_inputs import Batches, BatchReader
from mexbench.adapters.validation_split import validation_part
from mexbench.errors import counted

if TYPE_CHECKING:
    from mexbench.adapters.torch_recipe import TorchRecipe

History = tuple[Mapping[str, float], ...]


def train(
    factory: Callable[[], TorchModule], recipe: TorchRecipe, inputs: TorchTensor | BatchReader, targets: TorchTensor, *,
    n_outputs: int, groups: NDArray[np.str_], seed: int, weights: TorchTensor | None,
) -> tuple[TorchModule, History, Mapping[str, float]]:  # fmt: skip
    """Train a new module.

    Args:
        factory: Returns the module.
        recipe: How to train.
        inputs: Samples (n, ...), as the module takes them, or what reads some of them at a time.
        targets: Class indices (n,), or action units as 0 and 1 (n, units).
        n_outputs: Logits of the module.
        groups: Subject of each sample (n,).
        seed: Of the weights, the order of the samples and the validation part.
        weights: Of the classes (n_outputs,).

    Returns:
        The module on the processor in evaluation mode, its learning curves and its health.

    Raises:
        ValueError: The module returns something else than logits, or no validation part can be cut.
        TypeError: The factory returns something else than a module.
    """
    torch = import_torch()
    device = torch.device(device_name(recipe.device))
    train_idx, val_idx = np.arange(len(inputs)), np.arange(0)
    if recipe.early_stopping is not None:
        train_idx, val_idx = validation_part(groups, recipe.validation_share, np.random.default_rng(seed))
    with reproducible(seed):
        module = _build(factory, inputs, device)
        loop = _Loop(module, recipe, _loss(targets, recipe, weights, device), n_outputs=n_outputs, device=device)
        history = tuple(loop.epochs(inputs, targets, torch.from_numpy(train_idx), val_idx))
        if recipe.batch_norm_statistics == "exact":
            set_exact_statistics(module, Batches(inputs, train_idx, recipe.batch_size, device))
        health = loop.health(history, inputs, targets, train_idx)
    return module.cpu().eval(), history, health


def class_weights(y: NDArray[np.intp], n_classes: int) -> TorchTensor:
    """Return n / (classes * count) for each class (n_classes,), as scikit-learn's *balanced*; 0 for an absent one."""
    counts = np.bincount(y, minlength=n_classes)
    weights = np.where(counts, len(y) / (n_classes * np.maximum(counts, 1)), 0)
    return import_torch().tensor(weights.astype(np.float32))


def _build(factory: Callable[[], TorchModule], inputs: TorchTensor | BatchReader, device: Any) -> TorchModule:  # noqa: ANN401
    torch = import_torch()
    module = factory()
    if not isinstance(module, torch.nn.Module):
        raise TypeError(f"the factory returned a {type(module).__qualname__}, expected a torch.nn.Module")
    module = module.to(device)
    materialize(module, inputs[:1].to(device))
    return module


def materialize(module: TorchModule, example: TorchTensor) -> None:
    """Give lazy layers their shapes, before an optimizer starts or weights are read."""
    torch = import_torch()
    if any(torch.nn.parameter.is_lazy(parameter) for parameter in module.parameters()):
        with torch.no_grad():
            module.eval()(example)


class _Loop:
    """Trains one module, epoch by epoch."""

    def __init__(
        self,
        module: TorchModule,
        recipe: TorchRecipe,
        loss_of: Callable[[TorchTensor, TorchTensor], TorchTensor],
        *,
        n_outputs: int,
        device: Any,  # noqa: ANN401
    ) -> None:
        self.module = module
        self.recipe = recipe
        self.loss_of = loss_of
        self.n_outputs = n_outputs
        self.device = device

    def epochs(
        self, inputs: TorchTensor | BatchReader, targets: TorchTensor, train_idx: TorchTensor, val_idx: NDArray[np.intp]
    ) -> Iterator[Mapping[str, float]]:
        """Yield the figures of each epoch; the module ends with the weights that are to be used."""
        optimizer = _optimizer(self.module, self.recipe)
        best_loss, best_epoch, best_state = math.inf, 0, None
        for epoch in range(1, self.recipe.epochs + 1):
            loss, accuracy = self._train_epoch(optimizer, inputs, targets, train_idx)
            row = {"epoch": epoch, "loss": loss, "accuracy": accuracy}
            if self.recipe.early_stopping is None:
                yield row
                continue
            val_loss, val_accuracy = self._evaluate(inputs, targets, val_idx)
            yield {**row, "val_loss": val_loss, "val_accuracy": val_accuracy}
            if val_loss < best_loss:
                best_loss, best_epoch, best_state = val_loss, epoch, copy.deepcopy(self.module.state_dict())
            elif epoch - best_epoch >= self.recipe.early_stopping:
                break
        if best_state is not None:
            self.module.load_state_dict(best_state)

    def _train_epoch(
        self,
        optimizer: TorchOptimizer,
        inputs: TorchTensor | BatchReader,
        targets: TorchTensor,
        train_idx: TorchTensor,
    ) -> tuple[float, float]:
        torch = import_torch()
        self.module.train()
        loss_sum, n_correct = 0.0, 0.0
        order = train_idx[torch.randperm(len(train_idx))]
        for batch in torch.tensor_split(order, _n_batches(len(order), self.recipe)):
            wanted = targets[batch].to(self.device)
            logits = self._logits(inputs[batch].to(self.device))
            loss = self.loss_of(logits, wanted)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss_sum += float(loss.detach()) * len(batch)
            n_correct += float(_correct(logits, wanted).float().mean()) * len(batch)
        return loss_sum / len(order), n_correct / len(order)

    def _evaluate(
        self, inputs: TorchTensor | BatchReader, targets: TorchTensor, indices: NDArray[np.intp]
    ) -> tuple[float, float]:
        """Return loss and accuracy in evaluation mode, of all samples at once, since a weighted loss is no mean."""
        logits, wanted = self._answers(inputs, indices), targets[indices].to(self.device)
        return float(self.loss_of(logits, wanted)), float(_correct(logits, wanted).float().mean())

    def _answers(self, inputs: TorchTensor | BatchReader, indices: NDArray[np.intp]) -> TorchTensor:
        torch = import_torch()
        self.module.eval()
        with torch.no_grad():
            batches = Batches(inputs, indices, self.recipe.batch_size, self.device)
            return torch.cat([self._logits(batch) for batch in batches])

    def _logits(self, inputs: TorchTensor) -> TorchTensor:
        logits = self.module(inputs)
        if tuple(logits.shape) != (len(inputs), self.n_outputs):
            raise ValueError(
                f"the module returned {tuple(logits.shape)} for {counted(len(inputs), 'sample')}, "
                f"expected logits {(len(inputs), self.n_outputs)}"
            )
        return logits

    def health(
        self, history: History, inputs: TorchTensor | BatchReader, targets: TorchTensor, train_idx: NDArray[np.intp]
    ) -> Mapping[str, float]:
        """Return what the module answers on the samples that trained it, as it is tested."""
        logits, truth = self._answers(inputs, train_idx).cpu(), targets[train_idx].numpy()
        answers = (logits > 0).numpy() if truth.ndim == 2 else logits.argmax(dim=1).numpy()
        health = {
            "train_accuracy": history[-1]["accuracy"],
            "tested_accuracy": float(np.mean(answers == truth)),
            "train_classes": float(len(np.unique(truth, axis=0))),
            "predicted_classes": float(len(np.unique(answers, axis=0))),
        }
        plain = self.recipe.class_weights is None and not self.recipe.label_smoothing
        if truth.ndim == 1 and plain:  # another loss has another value for a guess
            shares = np.unique(truth, return_counts=True)[1] / len(truth)
            health |= {"train_loss": history[-1]["loss"], "guess_loss": float(-(shares * np.log(shares)).sum())}
        return health


def _loss(
    targets: TorchTensor,
    recipe: TorchRecipe,
    weights: TorchTensor | None,
    device: Any,  # noqa: ANN401
) -> Callable[[TorchTensor, TorchTensor], TorchTensor]:
    torch = import_torch()
    if targets.ndim == 2:
        return torch.nn.BCEWithLogitsLoss()
    on_device = None if weights is None else weights.to(device)
    return torch.nn.CrossEntropyLoss(on_device, label_smoothing=recipe.label_smoothing)


def _correct(logits: TorchTensor, wanted: TorchTensor) -> TorchTensor:
    return (logits > 0) == (wanted > 0.5) if wanted.ndim == 2 else logits.argmax(dim=1) == wanted


def _n_batches(samples: int, recipe: TorchRecipe) -> int:
    """Return into how many batches of nearly equal size samples are cut: batch norm cannot use a single sample."""
    return min(math.ceil(samples / recipe.batch_size), max(samples // 2, 1)) if recipe.batch_size > 1 else samples


def _optimizer(module: TorchModule, recipe: TorchRecipe) -> TorchOptimizer:
    torch = import_torch()
    rate, decay = recipe.learning_rate, recipe.weight_decay
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(module.parameters(), lr=rate, momentum=0.9, weight_decay=decay)
    kind = torch.optim.AdamW if recipe.optimizer == "adamw" else torch.optim.Adam
    return kind(module.parameters(), lr=rate, weight_decay=decay)
