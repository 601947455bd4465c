"""The networks of the zoo against twins in PyTorch, written from the published layers, given the same weights."""

from __future__ import annotations

from typing import Any

import pytest

from mexbench_plugins.models.causalnet import CausalNet
from mexbench_plugins.models.dual_inception import DualInception
from mexbench_plugins.models.htnet import HTNet
from mexbench_plugins.models.macnn import MACNN
from mexbench_plugins.models.micro_attention import MicroAttention
from mexbench_plugins.models.off_tanet import OffTANet
from mexbench_plugins.models.rcn_a import RCNA

torch = pytest.importorskip("torch")
nn, F = torch.nn, torch.nn.functional

from tests.mexbench_plugins.models import test_torch_parity as parity  # noqa: E402 - it needs PyTorch

CLASSES = parity.CLASSES
#: Rows and columns of the crops, as the table of the fixed regions has them.
CROPS = [((2, 16), (4, 18)), ((14, 28), (3, 17)), ((3, 17), (14, 28)), ((13, 27), (14, 28))]


def mosaic(x: Any) -> Any:  # noqa: ANN401
    """(n, 28, 28, 3) -> (n, 28, 28, 3)."""
    result = torch.zeros_like(x)
    for index, ((top, bottom), (left, right)) in enumerate(CROPS):
        row, column = 14 * (index // 2), 14 * (index % 2)
        result[:, row : row + 14, column : column + 14] = x[:, top:bottom, left:right]
    return result


class FeedForwardTwin(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.widen, self.narrow = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)

    def forward(self, x: Any) -> Any:  # noqa: ANN401
        return self.narrow(F.gelu(self.widen(x)))


class TokenLayerTwin(nn.Module):
    """With queries and keys, over blocks of one token."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        inner, self.heads = heads * (dim // heads), heads
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.queries_keys = nn.Parameter(torch.zeros(2 * inner, dim))
        self.values = nn.Parameter(torch.zeros(inner, dim))
        self.out, self.feed_forward = nn.Linear(inner, dim), FeedForwardTwin(dim)

    def forward(self, x: Any) -> Any:  # noqa: ANN401
        n, height, width, dim = x.shape
        y = self.norm1(x).reshape(n, height * width, 1, dim)  # blocks of one token
        qkv = [*(y @ self.queries_keys.T).chunk(2, -1), y @ self.values.T]
        query, key, value = (part.unflatten(-1, (self.heads, -1)).transpose(2, 3) for part in qkv)
        weights = torch.softmax(query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5, -1)
        y = (weights @ value).transpose(2, 3).flatten(3)
        x = x + self.out(y).reshape(n, height, width, dim)
        return x + self.feed_forward(self.norm2(x))


class LevelTwin(nn.Module):
    def __init__(self, dim: int, heads: int, repeats: int) -> None:
        super().__init__()
        self.position = nn.Module()
        self.position.value = nn.Parameter(torch.zeros(()))
        self.layers = nn.ModuleList([TokenLayerTwin(dim, heads) for _ in range(repeats)])

    def forward(self, x: Any) -> Any:  # noqa: ANN401
        x = x + self.position.value
        for layer in self.layers:
            x = layer(x)
        return x


class MergeTwin(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(dim, 2 * dim, 3, padding=1), nn.LayerNorm(2 * dim)

    def forward(self, x: Any) -> Any:  # noqa: ANN401
        x = self.norm(self.conv(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1))
        return F.max_pool2d(x.permute(0, 3, 1, 2), 3, 2, 1).permute(0, 2, 3, 1)


class TowerTwin(nn.Module):
    def __init__(self, dim: int, heads: int, repeats: tuple[int, int, int]) -> None:
        super().__init__()
        self.embed = nn.Conv2d(147, dim, 1)
        self.level1, self.merge1 = LevelTwin(dim, heads, repeats[0]), MergeTwin(dim)
        self.level2, self.merge2 = LevelTwin(2 * dim, 2 * heads, repeats[1]), MergeTwin(2 * dim)
        self.level3 = LevelTwin(4 * dim, 4 * heads, repeats[2])

    def forward(self, x: Any) -> Any:  # noqa: ANN401
        patches = x.unfold(1, 7, 7).unfold(2, 7, 7)  # (n, 4, 4, channel, row, column)
        x = patches.permute(0, 1, 2, 4, 5, 3).flatten(3)
        x = self.embed(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return self.level3(self.merge2(self.level2(self.merge1(self.level1(x)))))


class HTNetTwin(nn.Module):
    def __init__(self, dim: int, heads: int, repeats: tuple[int, int, int]) -> None:
        super().__init__()
        self.tower = TowerTwin(dim, heads, repeats)
        self.norm, self.dense = nn.LayerNorm(4 * dim), nn.Linear(4 * dim, CLASSES)

    def forward(self, x: Any) -> Any:  # noqa: ANN401
        return self.dense(self.norm(self.tower(mosaic(x[:, 0].flip(-1)))).mean((1, 2)))


class AttentionTwin(nn.Module):
    """Written token by token, and the mask as a list of four pairs."""

    def __init__(self, dim: int, gamma: float) -> None:
        super().__init__()
        self.query, self.key, self.value, self.out = (nn.Linear(dim, dim) for _ in range(4))
        self.gamma = gamma

    def heads(self, x: Any) -> Any:  # noqa: ANN401
        return x.unflatten(-1, (8, -1)).transpose(1, 2)

    def forward(self, x: Any, context: Any, scale: float) -> Any:  # noqa: ANN401
        query, key, value = self.heads(self.query(x)), self.heads(self.key(context)), self.heads(self.value(context))
        logits = query @ key.transpose(-1, -2) * scale
        for multiple, (i, j) in zip((4, 3, 2, 1), ((0, 3), (1, 2), (2, 1), (3, 0)), strict=True):
            logits[..., i, j] = -multiple * self.gamma
        weights = torch.softmax(logits, -1)
        keep = torch.ones_like(weights)
        keep[..., [0, 1, 2, 3], [3, 2, 1, 0]] = 0
        return self.out((weights * keep @ value).transpose(1, 2).flatten(2))

    def over_pair(self, x: Any, pair: Any, scale: float) -> Any:  # noqa: ANN401
        tokens = []
        for token in range(4):
            query = self.query(x[:, token]).unflatten(-1, (8, -1))
            both = torch.stack([one[:, token] for one in pair], 1)
            key, value = (layer(both).unflatten(-1, (8, -1)) for layer in (self.key, self.value))
            weights = torch.softmax((query[:, None] * key).sum(-1) * scale, 1)
            tokens.append((weights[..., None] * value).sum(1).flatten(1))
        return self.out(torch.stack(tokens, 1))

    def relate(self, one: Any, other: Any, scale: float) -> Any:  # noqa: ANN401
        query, key = self.heads(self.query(one)), self.heads(self.key(other))
        value = self.heads(self.value(one + other))
        y = torch.softmax(query @ key.transpose(-1, -2) * scale, -1) @ value
        return self.out(y.transpose(1, 2).flatten(2) + one + other)


class CrossTwin(nn.Module):
    def __init__(self, dim: int, gamma: float) -> None:
        super().__init__()
        self.norm, self.attention, self.feed_forward = (
            nn.LayerNorm(dim),
            AttentionTwin(dim, gamma),
            FeedForwardTwin(dim),
        )
        self.scale = dim**-0.5

    def forward(self, a: Any, b: Any) -> Any:  # noqa: ANN401
        a = a + self.attention(self.norm(a), b, self.scale)
        b = b + self.attention(self.norm(b), a, self.scale)
        return a + self.feed_forward(a), b + self.feed_forward(b)


class CausalTwin(nn.Module):
    def __init__(self, dim: int, gamma: float) -> None:
        super().__init__()
        self.norm, self.feed_forward = nn.LayerNorm(dim), FeedForwardTwin(dim)
        self.spatial, self.temporal, self.relation = (AttentionTwin(dim, gamma) for _ in range(3))
        self.scale = (dim / 8) ** -0.5

    def one_way(self, a: Any, b: Any) -> Any:  # noqa: ANN401
        a, b = self.norm(a), self.norm(b)
        a, b = self.spatial(a, a, self.scale) + a, self.spatial(b, b, self.scale) + b
        b = self.temporal.over_pair(b, (a, b), self.scale) + b
        return a + self.feed_forward(a), b + self.feed_forward(b)

    def forward(self, a: Any, b: Any) -> Any:  # noqa: ANN401
        (forward_a, forward_b), (backward_a, backward_b) = self.one_way(a, b), self.one_way(b, a)
        return torch.cat([self.relation.relate(forward_b, backward_b, self.scale), forward_a, backward_a], 1)


class CausalNetTwin(nn.Module):
    def __init__(self, dim: int, heads: int, repeats: tuple[int, int, int], gamma: float) -> None:
        super().__init__()
        self.flow_tower, self.direction_tower = TowerTwin(dim, heads, repeats), TowerTwin(dim, heads, repeats)
        self.cross = nn.ModuleList([CrossTwin(dim, gamma) for _ in range(repeats[2])])
        self.causal = CausalTwin(dim, gamma)
        self.dense1, self.dense2 = nn.Linear(12 * dim, 8 * dim), nn.Linear(8 * dim, CLASSES)

    def forward(self, x: Any) -> Any:  # noqa: ANN401
        maps = [mosaic(x[:, i].flip(-1)) for i in range(4)]
        towers = (self.flow_tower, self.flow_tower, self.direction_tower, self.direction_tower)
        flow0, flow1, way0, way1 = (
            tower(one).flatten(1).unflatten(1, (-1, 4)).transpose(1, 2) for tower, one in zip(towers, maps, strict=True)
        )
        for layer in self.cross:
            way0, way1 = layer(way0, way1)
        return self.dense2(self.dense1(self.causal(flow0 + way0, flow1 + way1).flatten(1)))


class InceptionTwin(nn.Module):
    def __init__(self, inputs: int, filters: int, *, plain_relu: bool) -> None:
        super().__init__()
        self.plain, self.reduce3, self.reduce5, self.pooled = (nn.Conv2d(inputs, filters, 1) for _ in range(4))
        self.conv3, self.conv5 = nn.Conv2d(filters, filters, 3, padding=1), nn.Conv2d(filters, filters, 5, padding=2)
        self.plain_relu = plain_relu

    def forward(self, x: Any) -> Any:  # noqa: ANN401
        paths = [
            self.plain(x).relu() if self.plain_relu else self.plain(x),
            self.conv3(self.reduce3(x).relu()).relu(),
            self.conv5(self.reduce5(x).relu()).relu(),
            self.pooled(F.max_pool2d(x, 3, 1, 1)).relu(),
        ]
        return F.max_pool2d(torch.cat(paths, 1), 2)


class InceptionStreamTwin(nn.Module):
    def __init__(self, channels: int, *, plain_relu: bool) -> None:
        super().__init__()
        self.block1 = InceptionTwin(channels, 6, plain_relu=plain_relu)
        self.block2 = InceptionTwin(24, 16, plain_relu=plain_relu)

    def forward(self, x: Any) -> Any:  # noqa: ANN401
        return self.block2(self.block1(x)).permute(0, 2, 3, 1).flatten(1)


class DualInceptionTwin(nn.Module):
    def __init__(self, channels: int, *, plain_relu: bool) -> None:
        super().__init__()
        self.channels = channels
        self.u, self.v = (InceptionStreamTwin(channels, plain_relu=plain_relu) for _ in range(2))
        self.dense1, self.dense2 = nn.Linear(6272, 1024), nn.Linear(1024, CLASSES)

    def forward(self, x: Any) -> Any:  # noqa: ANN401
        x = parity.channels_first(x)
        u, v = (x[:, i : i + 1].expand(-1, self.channels, -1, -1) for i in (0, 1))
        return self.dense2(self.dense1(torch.cat([self.u(u), self.v(v)], 1)).relu())


class RecurrenceTwin(nn.Module):
    def __init__(self, filters: int) -> None:
        super().__init__()
        self.first, self.first_norm = parity.before_norm(filters, filters, 1), nn.BatchNorm2d(filters)
        self.again, self.norm = parity.before_norm(filters, filters, 3, padding=1), nn.BatchNorm2d(filters)
        self.second = nn.Module()
        for name in ("running_mean", "running_var"):
            self.second.register_buffer(name, torch.zeros(filters))

    def forward(self, x: Any) -> Any:  # noqa: ANN401
        y = self.first_norm(self.first(x)).relu()
        for _ in range(2):
            y = self.norm(self.again(x + y)).relu()
        self.second.running_mean = self.norm.running_mean.clone()
        self.second.running_var = self.norm.running_var.clone()
        return y


class RCNATwin(nn.Module):
    def __init__(self, filters: int, pool: int) -> None:
        super().__init__()
        self.pool = pool
        self.conv, self.norm = parity.before_norm(3, filters, 5), nn.BatchNorm2d(filters)
        self.recurrence, self.classifier = RecurrenceTwin(filters), nn.Module()
        self.classifier.weight = nn.Parameter(torch.zeros(CLASSES, filters, pool, pool))
        self.classifier.bias = nn.Parameter(torch.zeros(CLASSES))

    def forward(self, x: Any) -> Any:  # noqa: ANN401
        x = F.max_pool2d(self.norm(self.conv(parity.channels_first(x))).relu(), 2)
        pooled, maps = F.adaptive_avg_pool2d(x, self.pool), []
        for weights in self.classifier.weight:
            one = (pooled * weights).mean(1)
            least, largest = one.amin((1, 2), keepdim=True), one.amax((1, 2), keepdim=True)
            maps.append((one - least) / (largest - least))
        x = F.adaptive_avg_pool2d(F.max_pool2d(self.recurrence(x), 2), self.pool) * torch.stack(maps).mean(0)[:, None]
        return F.linear(x.flatten(1), self.classifier.weight.flatten(1), self.classifier.bias)


class ResidualTwin(nn.Module):
    def __init__(self, inputs: int, filters: int, *, norm: bool) -> None:
        super().__init__()
        conv = parity.before_norm if norm else nn.Conv2d
        self.conv1, self.conv2 = conv(inputs, filters, 3, padding=1), conv(filters, filters, 3, padding=1)
        if norm:
            self.norm1, self.norm2 = nn.BatchNorm2d(filters), nn.BatchNorm2d(filters)
        self.norms = norm
        self.shortcut = nn.Conv2d(inputs, filters, 1)

    def forward(self, x: Any) -> Any:  # noqa: ANN401
        y = self.conv1(x)
        y = (self.norm1(y) if self.norms else y).relu()
        y = self.conv2(y)
        y = (self.norm2(y) if self.norms else y).relu()
        return F.max_pool2d(y + self.shortcut(x), 2)


class GatesTwin(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.norm1 = parity.before_norm(28, 28, 3, padding=1), nn.BatchNorm2d(28)
        self.squeeze, self.expand = nn.Parameter(torch.zeros(1, 28)), nn.Parameter(torch.zeros(28, 1))
        self.spatial = nn.Parameter(torch.zeros(1, 2, 3, 3))
        self.heads = nn.Module()
        self.heads.weight, self.heads.bias = nn.Parameter(torch.zeros(28, 3, 28)), nn.Parameter(torch.zeros(28, 3))
        self.conv2, self.norm2 = parity.before_norm(28, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.shortcut = nn.Conv2d(28, 8, 1)

    def forward(self, x: Any) -> Any:  # noqa: ANN401
        y = self.norm1(self.conv1(x)).relu()
        gates = [F.linear(F.linear(one, self.squeeze).relu(), self.expand) for one in (y.mean((2, 3)), y.amax((2, 3)))]
        y = y * torch.sigmoid(gates[0] + gates[1])[:, :, None, None]
        y = y * torch.sigmoid(F.conv2d(torch.stack([y.mean(1), y.amax(1)], 1), self.spatial, padding=1))
        outputs = []
        for head in range(4):  # four heads of 7 channels
            part = slice(7 * head, 7 * head + 7)
            query, key, value = (
                F.conv2d(y, self.heads.weight[part, i, :, None, None], self.heads.bias[part, i]) for i in range(3)
            )
            wave = torch.tensor([
                float(torch.sin(angle) if i % 2 == 0 else torch.cos(angle))
                for i in range(14)
                for angle in [torch.tensor(10000.0, dtype=torch.float64) ** -(i // 2 / 14)]
            ], dtype=y.dtype)  # fmt: skip
            place = wave[:, None] + wave
            logits = query @ key.transpose(-1, -2) + query @ place.T
            outputs.append(torch.softmax(logits.flatten(2), -1).reshape(logits.shape) * value)
        y = self.norm2(self.conv2(torch.cat(outputs, 1))).relu()
        return F.max_pool2d(y + self.shortcut(x), 2)


class OffTANetTwin(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 8, 7, stride=2, padding=3), nn.BatchNorm2d(8)
        self.residual1, self.residual2 = ResidualTwin(8, 18, norm=True), ResidualTwin(18, 28, norm=True)
        self.attention = GatesTwin()
        self.dense1, self.dense2, self.dense3 = nn.Linear(392, 64), nn.Linear(64, 64), nn.Linear(64, CLASSES)

    def forward(self, x: Any) -> Any:  # noqa: ANN401
        x = self.norm(self.conv(parity.channels_first(x)).relu())
        x = self.attention(self.residual2(self.residual1(x))).permute(0, 2, 3, 1).flatten(1)
        return self.dense3(self.dense2(self.dense1(x).relu()).relu())


class MACNNTwin(nn.Module):
    def __init__(self, filters: int, hidden: int) -> None:
        super().__init__()
        sizes = [3, filters, 2 * filters, 4 * filters, 8 * filters]
        for i in range(4):
            setattr(self, f"block{i + 1}", ResidualTwin(sizes[i], sizes[i + 1], norm=False))
        for dilation in (4, 2):
            layer = nn.Conv2d(sizes[4], sizes[4], 3, padding=dilation, dilation=dilation)
            setattr(self, f"dilated{dilation}", layer)
        self.dense1, self.dense2 = nn.Linear(49 * sizes[4], hidden), nn.Linear(hidden, hidden)
        self.dense3 = nn.Linear(hidden, CLASSES)

    def forward(self, x: Any) -> Any:  # noqa: ANN401
        x = self.block4(self.block3(self.block2(self.block1(parity.channels_first(x)))))
        x = self.dilated2(self.dilated4(x).relu()).relu().permute(0, 2, 3, 1).flatten(1)
        return self.dense3(self.dense2(self.dense1(x).relu()).relu())


class AttentiveBlockTwin(nn.Module):
    def __init__(self, inputs: int, filters: int) -> None:
        super().__init__()
        self.conv1, self.norm1 = parity.before_norm(inputs, filters, 3, padding=1), nn.BatchNorm2d(filters)
        self.conv2, self.norm2 = parity.before_norm(filters, filters, 3, padding=1), nn.BatchNorm2d(filters)
        self.shortcut, self.attend = nn.Conv2d(inputs, filters, 1), parity.before_norm(3 * filters, 3 * filters, 1)

    def forward(self, x: Any) -> Any:  # noqa: ANN401
        a = self.norm1(self.conv1(x)).relu()
        b = self.norm2(self.conv2(a)).relu()
        m = self.shortcut(x)
        logits = self.attend(torch.cat([a, b, m], 1)).mean(1, keepdim=True)
        weights = torch.softmax(logits.flatten(1), 1).reshape(logits.shape)
        return F.max_pool2d((b + m) * (1 + weights), 2)


class MicroAttentionTwin(nn.Module):
    def __init__(self, filters: int, hidden: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, filters, 7, stride=2, padding=3)
        for i in (1, 2, 3):
            setattr(self, f"block{i}", AttentiveBlockTwin(2 ** (i - 1) * filters, 2**i * filters))
        self.dense1, self.dense2 = nn.Linear(49 * 8 * filters, hidden), nn.Linear(hidden, CLASSES)

    def forward(self, x: Any) -> Any:  # noqa: ANN401
        x = F.max_pool2d(self.conv(parity.channels_first(x)).relu(), 3, 2, 1)
        x = self.block3(self.block2(self.block1(x))).permute(0, 2, 3, 1).flatten(1)
        return self.dense2(self.dense1(x).relu())


#: SGD where a bias of keys or a ReLU has a gradient that is nothing but rounding, of which Adam makes whole steps.
SGD: Any = {"optimiser": "sgd", "learning_rate": 1e-3, "momentum": 0.5, "weight_decay": 0.001}
CASES: dict[str, Any] = {
    "htnet": (
        HTNet(dim=24, heads=5, repeats=(1, 1, 2)),
        (1, 28, 28, 3),
        lambda: HTNetTwin(24, 5, (1, 1, 2)),
        parity.adam(5e-5),
    ),
    "causalnet": (
        CausalNet(dim=16, heads=2, repeats=(1, 1, 2), **SGD),
        (4, 28, 28, 3),
        lambda: CausalNetTwin(16, 2, (1, 1, 2), 0.5),
        parity.sgd(1e-3),
    ),
    "dual_inception": (
        DualInception(),
        (1, 28, 28, 3),
        lambda: DualInceptionTwin(3, plain_relu=True),
        parity.adam(1e-4),
    ),
    "dual_inception reimplemented": (
        DualInception(variant="reimplemented", **SGD),
        (1, 28, 28, 2),
        lambda: DualInceptionTwin(1, plain_relu=False),
        parity.sgd(1e-3),
    ),
    "rcn_a": (
        RCNA(filters=32, pool=5, dropout=0.0, **SGD),
        (1, 28, 28, 3),
        lambda: RCNATwin(32, 5),
        parity.sgd(1e-3),
    ),
    "rcn_a of 64": (RCNA(dropout=0.0, **SGD), (1, 28, 28, 3), lambda: RCNATwin(64, 7), parity.sgd(1e-3)),
    "off_tanet": (OffTANet(dropout=0.0, **SGD), (1, 112, 112, 3), OffTANetTwin, parity.sgd(1e-3)),
    "macnn": (
        MACNN(filters=4, hidden=32, dropout=0.0, learning_rate=1e-4),
        (1, 112, 112, 3),
        lambda: MACNNTwin(4, 32),
        parity.adam(1e-4),
    ),
    "micro_attention": (
        MicroAttention(filters=4, hidden=32, dropout=0.0, **{**SGD, "learning_rate": 1e-4}),
        (1, 224, 224, 3),
        lambda: MicroAttentionTwin(4, 32),
        parity.sgd(1e-4),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_outputs_and_five_steps_agree(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(parity.CASES, name, CASES[name])
    parity.test_outputs_and_five_steps_agree(name)


def test_queries_and_keys_of_one_token_have_no_gradient_in_pytorch_either() -> None:
    twin = TokenLayerTwin(12, 3).double()
    torch.nn.init.normal_(twin.queries_keys)
    torch.nn.init.normal_(twin.values)
    twin(torch.randn(2, 4, 4, 12, dtype=torch.float64)).square().sum().backward()
    assert not twin.queries_keys.grad.any()
    assert twin.values.grad.any()
