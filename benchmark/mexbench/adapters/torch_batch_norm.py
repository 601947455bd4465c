"""Exact statistics of PyTorch's batch normalisation: those of the samples that trained, under the final weights.

Definition: the mean and the variance (biased) that one forward pass over all these samples, as a single batch in
training mode without dropout, would normalise by.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mexbench.adapters.torch_engine import TorchModule, TorchTensor, import_torch


def set_exact_statistics(module: TorchModule, batches: Iterable[TorchTensor]) -> None:
    """Replace the running statistics of a module's batch normalisations.

    Each pass measures the inputs of all layers under the statistics of the pass before: after the first pass those of
    the first layer are exact, after the second those of the layers that follow it. Passes end when one changes nothing.

    Args:
        module: The module, which is left in evaluation mode.
        batches: The samples that trained, no other one; they are gone through several times.
    """
    torch = import_torch()
    kind = torch.nn.modules.batchnorm._BatchNorm  # the base of all of them
    layers = [layer for layer in module.modules() if isinstance(layer, kind) and layer.running_mean is not None]
    module.eval()
    with torch.no_grad():
        for _ in layers:
            sums = {layer: _Moments() for layer in layers}
            hooks = [layer.register_forward_pre_hook(_measure(sums[layer])) for layer in layers]
            try:
                for batch in batches:
                    module(batch)
            finally:
                for hook in hooks:
                    hook.remove()
            changed = [sums[layer].write(layer) for layer in layers]
            if not any(changed):
                break


class _Moments:
    """Mean and variance per channel of what came by, in float64, joined batch by batch so that nothing cancels."""

    def __init__(self) -> None:
        self.count = 0
        self.mean: TorchTensor = None
        self.spread: TorchTensor = None  # sum of squared deviations

    def add(self, x: TorchTensor) -> None:
        """Add the input (n, C, ...) of a layer."""
        values = x.double().transpose(0, 1).reshape(x.shape[1], -1)
        count, mean = values.shape[1], values.mean(dim=1)
        spread = ((values - mean[:, None]) ** 2).sum(dim=1)
        if self.count:
            delta, total = mean - self.mean, self.count + count
            spread = self.spread + spread + delta**2 * self.count * count / total
            mean = self.mean + delta * count / total
        self.count, self.mean, self.spread = self.count + count, mean, spread

    def write(self, layer: TorchModule) -> bool:
        """Set the statistics of a layer; return whether that changed them. A layer that was not used keeps its own."""
        torch = import_torch()
        if not self.count:
            return False
        before = layer.running_mean.clone(), layer.running_var.clone()
        layer.running_mean.copy_(self.mean)
        layer.running_var.copy_(self.spread / self.count)
        return not (torch.equal(before[0], layer.running_mean) and torch.equal(before[1], layer.running_var))


def _measure(moments: _Moments) -> Any:  # noqa: ANN401 - a hook
    def hook(_: TorchModule, inputs: tuple[TorchTensor, ...]) -> None:
        moments.add(inputs[0])

    return hook
