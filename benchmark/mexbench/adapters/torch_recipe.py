"""How a PyTorch module is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Lt

from mexbench.errors import ConfigError
from mexbench.registry.parameters import build


@dataclass(frozen=True, kw_only=True)
class TorchRecipe:
    """How a module is trained.

    Args:
        epochs: Passes over the training side; a maximum with early stopping.
        batch_size: Samples of a step; the last batches are evened out, so that none has a single sample.
        optimizer: Adam, AdamW, or stochastic gradient descent with momentum 0.9.
        learning_rate: Step size, constant.
        weight_decay: L2 penalty; decoupled with adamw.
        class_weights: balanced weighs classes by the inverse of their frequency in training.
        label_smoothing: Share of the target that goes to all classes alike.
        early_stopping: Epochs without a lower validation loss after which training ends, with the weights of the best
            epoch; null trains all epochs and cuts no validation part.
        validation_share: Share of the training side that early stopping watches, cut by subject.
        batch_norm_statistics: What batch normalisation uses after training. exact: mean and variance over the samples
            that trained, computed with the final weights. running: the moving average of the training steps, which
            lags behind the weights where steps are few.
        device: auto takes a GPU where PyTorch has one.
    """

    epochs: Annotated[int, Ge(1)] = 30
    batch_size: Annotated[int, Ge(1)] = 32
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    learning_rate: Annotated[float, Gt(0)] = 1e-3
    weight_decay: Annotated[float, Ge(0)] = 0.0
    class_weights: Literal["balanced"] | None = None
    label_smoothing: Annotated[float, Ge(0)] = 0.0
    early_stopping: Annotated[int, Ge(1)] | None = None
    validation_share: Annotated[float, Gt(0), Lt(1)] = 0.2
    batch_norm_statistics: Literal["exact", "running"] = "exact"
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
