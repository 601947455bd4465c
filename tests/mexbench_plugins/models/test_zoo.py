"""The networks of the zoo: published totals, and what each of them really does."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from numpy.typing import NDArray

from mexbench.errors import DataError
from mexbench.registry.catalogue import Catalogue
from mexbench_plugins.models._nn import one_token_levels, train_program
from mexbench_plugins.models._nn.causalnet_network import _mask_and_offset
from mexbench_plugins.models._nn.layers import ShapesOnly, StepContext, count_values
from mexbench_plugins.models._nn.network_model import NetworkModel
from mexbench_plugins.models._nn.off_tanet_network import positions
from mexbench_plugins.models._nn.pooling import adaptive_average_pool
from mexbench_plugins.models._nn.recipe import StepDecay
from mexbench_plugins.models.causalnet import CausalNet
from mexbench_plugins.models.dual_inception import DualInception
from mexbench_plugins.models.htnet import HTNet
from mexbench_plugins.models.macnn import MACNN
from mexbench_plugins.models.micro_attention import MicroAttention
from mexbench_plugins.models.off_tanet import OffTANet
from mexbench_plugins.models.rcn_a import RCNA

ZOO = [HTNet(), CausalNet(), DualInception(), RCNA(), OffTANet(), MACNN(), MicroAttention()]
SMALL_HTNET = HTNet(dim=24, repeats=(1, 1, 1))
SMALL_CAUSALNET = CausalNet(dim=16, repeats=(1, 1, 1))


def built(model: NetworkModel, n_classes: int = 3, seed: int = 0) -> Any:  # noqa: ANN401
    return model.network(model.example_shape, n_classes, np.random.default_rng(seed))


def flows(model: NetworkModel, n: int = 3, seed: int = 0) -> jax.Array:
    x = np.random.default_rng(seed).integers(0, 256, (n, *model.example_shape))
    return jnp.asarray(x if model.pixels == "raw" else x / 255, jnp.float32)


@pytest.mark.parametrize(
    ("model", "values"),
    [
        (HTNet(), 139_582_982),
        (CausalNet(), 276_590_089),
        (CausalNet(repeats=(1, 1, 1)), 53_308_937),
        (DualInception(), 6_449_963),
        (DualInception(variant="reimplemented"), 6_449_867),
        (RCNA(), 55_747),
        (RCNA(filters=32, pool=5), 15_331),
        (OffTANet(), 59_403),
        (MACNN(), 70_573_923),
        (MicroAttention(), 53_384_195),
    ],
    ids=str,
)
def test_trainable_values_are_as_published(model: NetworkModel, values: int) -> None:
    """Counted by shapes alone: nothing of that size is allocated."""
    network = nnx.eval_shape(lambda: model.network(model.example_shape, 3, ShapesOnly()))
    assert count_values(network, nnx.Param) == values


@pytest.mark.parametrize("model", [*ZOO[2:], SMALL_HTNET, SMALL_CAUSALNET], ids=lambda model: type(model).__name__)
def test_the_table_has_every_value_once(model: NetworkModel) -> None:
    rows = model.layers(3)
    network = nnx.eval_shape(lambda: model.network(model.example_shape, 3, ShapesOnly()))
    assert sum(row.n_params for row in rows) == count_values(network)
    assert rows[-1].shape == (3,)


def test_the_table_of_htnet() -> None:
    rows = [(row.shape, row.n_params) for row in HTNet(repeats=(1, 1, 1)).layers(3) if row.n_params]
    assert rows == [
        ((4, 4, 256), 37_888), ((4, 4, 256), 1), ((4, 4, 256), 787_968), ((4, 4, 512), 1_180_160), ((4, 4, 512), 1_024),
        ((2, 2, 512), 1), ((2, 2, 512), 3_146_752), ((2, 2, 1024), 4_719_616), ((2, 2, 1024), 2_048),
        ((1, 1, 1024), 1), ((1, 1, 1024), 12_576_768), ((1, 1, 1024), 2_048), ((3,), 3_075),
    ]  # fmt: skip


def test_queries_and_keys_that_never_act() -> None:
    """22,195,200 of HTNet's values and 41,518,080 of CausalNet's towers'."""
    for model, values in ((HTNet(), 22_195_200), (CausalNet(), 41_518_080)):
        network = nnx.eval_shape(lambda model=model: model.network(model.example_shape, 3, ShapesOnly()))
        leaves, _ = jax.tree_util.tree_flatten_with_path(nnx.state(network, nnx.Param))
        idle = [leaf for path, leaf in leaves if "queries_keys" in jax.tree_util.keystr(path)]
        assert sum(int(np.prod(leaf.shape)) for leaf in idle) == values


@pytest.mark.parametrize("model", [SMALL_HTNET, SMALL_CAUSALNET], ids=lambda model: type(model).__name__)
def test_their_gradient_is_exactly_zero_and_all_others_are_not(model: NetworkModel) -> None:
    graph, params, rest = nnx.split(built(model), nnx.Param, ...)
    x, goal = flows(model, 4), jax.nn.one_hot(jnp.arange(4) % 3, 3)

    def loss(params: Any) -> Any:  # noqa: ANN401
        return -(jax.nn.log_softmax(nnx.merge(graph, params, rest)(x, None)) * goal).sum()

    leaves, _ = jax.tree_util.tree_flatten_with_path(jax.jit(jax.grad(loss))(params))
    for path, leaf in leaves:
        name = jax.tree_util.keystr(path)
        assert bool(jnp.any(leaf != 0)) is ("queries_keys" not in name), name


def test_the_mosaic_hides_167_pixels_and_shows_146_more_than_once() -> None:
    image = jnp.arange(784.0).reshape(1, 28, 28, 1)
    shown, counts = np.unique(np.asarray(one_token_levels.mosaic(image)), return_counts=True)
    assert 784 - len(shown) == 167
    assert (counts > 1).sum() == 146
    hidden = np.setdiff1d(np.arange(784), shown)
    assert {0, 27, 28, 55} <= set(hidden.tolist()), "rows 0 and 1"
    assert {28 * row + column for row in range(28) for column in range(3)} <= set(hidden.tolist())
    corner = np.asarray(one_token_levels.mosaic(image))[0, :, :, 0]
    assert (corner[0, 0], corner[0, 14], corner[14, 0], corner[14, 14]) == (2 * 28 + 4, 14 * 28 + 3, 3 * 28 + 14, 378)


def test_a_shift_of_the_last_position_scalar_changes_nothing() -> None:
    network, x = built(SMALL_HTNET), flows(SMALL_HTNET)
    before = network(x, None)
    for name, changes in (("level3", False), ("level2", True), ("level1", True)):
        value = getattr(network.tower, name).position.value
        value[...] += 1
        moved = float(jnp.abs(network(x, None) - before).max())
        value[...] -= 1
        assert (moved > 1e-4) is changes, (name, moved)


def test_reversed_channels_are_those_of_the_authors() -> None:
    one, other = HTNet(dim=24, repeats=(1, 1, 1)), HTNet(dim=24, repeats=(1, 1, 1), channels="as_given")
    x = flows(one)
    np.testing.assert_array_equal(built(one)(x, None), built(other)(x[..., ::-1], None))
    assert not np.allclose(built(one)(x, None), built(other)(x, None))


def test_a_network_of_another_size_is_flagged() -> None:
    assert HTNet().flags() == CausalNet().flags() == MACNN().flags() == MicroAttention().flags() == ()
    for model in (SMALL_HTNET, SMALL_CAUSALNET, MACNN(filters=8), MicroAttention(hidden=8)):
        assert model.flags() == ("resized-network",)


def test_each_row_of_the_mask_sums_to_three_and_gamma_acts() -> None:
    mask, offset = _mask_and_offset(0.5)
    np.testing.assert_array_equal(mask.sum(1), [3, 3, 3, 3])
    assert [float(offset[pair]) for pair in ((0, 3), (1, 2), (2, 1), (3, 0))] == [-2.0, -1.5, -1.0, -0.5]
    x = flows(SMALL_CAUSALNET)
    other = CausalNet(dim=16, repeats=(1, 1, 1), gamma=0.3)
    assert float(jnp.abs(built(SMALL_CAUSALNET)(x, None) - built(other)(x, None)).max()) > 1e-6


def test_causalnet_reads_its_maps_by_role() -> None:
    network, x = built(SMALL_CAUSALNET), flows(SMALL_CAUSALNET)
    before = network(x, None)
    for swapped in ([1, 0, 2, 3], [0, 1, 3, 2], [2, 3, 0, 1]):
        assert not np.allclose(network(x[:, jnp.array(swapped)], None), before)


def test_dual_inception_has_no_preferred_component() -> None:
    """Swapping u and v together with the streams and the halves of the first dense layer changes nothing."""
    network, x = built(DualInception()), flows(DualInception())
    before = network(x, None)
    assert not np.allclose(network(x[..., ::-1], None), before)
    network.u, network.v = network.v, network.u
    network.dense1.kernel[...] = jnp.roll(network.dense1.kernel[...], 3136, axis=0)
    np.testing.assert_allclose(network(x[..., ::-1], None), before, atol=1e-5)


def test_rcn_a_scales_with_its_classifier_and_its_attention_is_a_share() -> None:
    network, x = built(RCNA()), flows(RCNA())
    before = network(x, None)
    network.classifier.kernel[...] = 3 * network.classifier.kernel[...]
    np.testing.assert_allclose(network(x, None), 3 * before, rtol=1e-4, atol=1e-6)
    attention = network.attention(jnp.asarray(np.random.default_rng(0).random((5, 12, 12, 64)), jnp.float32))
    assert attention.shape == (5, 7, 7, 1)
    assert (attention.min() >= 0, attention.max() <= 1) == (True, True)
    np.testing.assert_array_equal(network.attention(jnp.zeros((1, 12, 12, 64))), 0)


def test_statistics_of_the_recurrent_convolution_move_twice_per_step() -> None:
    """A running mean of zero that has seen m1 and m2 is .09 m1 + .1 m2; once moved, it would be .1 m."""
    network, x = built(RCNA()), flows(RCNA(), 6)
    block = network.recurrence
    inputs = []
    conv = block.again

    class Spy(nnx.Module):
        bias = conv.bias

        def without_bias(self, y: jax.Array) -> jax.Array:
            inputs.append(conv(y))
            return conv.without_bias(y)

    block.again = Spy()
    network(x, StepContext(jnp.ones(6), jax.random.key(0)))
    first, second = (y.mean((0, 1, 2)) for y in inputs)
    np.testing.assert_allclose(block.norm.mean[...], 0.09 * first + 0.1 * second, rtol=1e-3, atol=1e-5)
    np.testing.assert_array_equal(block.second.mean[...], block.norm.mean[...])


def test_exact_statistics_of_the_recurrent_convolution_are_those_of_each_application() -> None:
    from mexbench_plugins.models._nn.batch_norm import final_statistics

    model = RCNA(filters=8, pool=3, dropout=0.0, batch_size=4)
    x = np.random.default_rng(0).integers(0, 256, (11, 1, 28, 28, 3)).astype(np.uint8)
    build = model.builder(x.shape[1:], 3)
    state = train_program.train_program(model, build).init(np.random.default_rng(0))
    stats = final_statistics(model, build, state, x, np.arange(11))
    network = nnx.merge(nnx.graphdef(build(np.random.default_rng(0))), state.params, stats)
    # In training mode one pass over everything normalises by what exact statistics are meant to be.
    floats = jnp.asarray(x, jnp.float32) / 255
    trained = nnx.merge(nnx.graphdef(build(np.random.default_rng(0))), state.params, state.stats, copy=True)
    expected = trained(floats, StepContext(jnp.ones(11), jax.random.key(0)))
    np.testing.assert_allclose(network(floats, None), expected, rtol=1e-3, atol=1e-5)
    assert not np.allclose(network.recurrence.second.mean[...], network.recurrence.norm.mean[...])


def test_off_tanet_positions_and_attention() -> None:
    p = np.asarray(positions(14))
    np.testing.assert_array_equal(p, p.T)
    assert (round(float(p[0, 0]), 4), round(float(p[0, 1]), 4)) == (1.6829, 1.3818)
    rng = np.random.default_rng(0)
    query, key = (jnp.asarray(rng.normal(size=(2, 14, 14, 28)), jnp.float32) for _ in range(2))
    weights = built(OffTANet()).attention.heads.weights(query, key)
    np.testing.assert_allclose(weights.sum((1, 2)), np.ones((2, 28)), rtol=1e-5)


def test_the_bias_of_micro_attention_changes_nothing() -> None:
    model = MicroAttention(filters=2, hidden=8)
    network, x = built(model), flows(model, 2)
    before = network(x, None)
    network.block2.attend.bias[...] += jnp.arange(24.0)
    np.testing.assert_allclose(network(x, None), before, atol=1e-5)
    network.block2.attend.kernel[...] *= 3_000
    assert float(jnp.abs(network(x, None) - before).max()) > 1e-5


def test_adaptive_pooling_covers_overlapping_windows() -> None:
    """Six pixels into seven places, as PyTorch chooses them: the first is pixel 0 alone, the second 0 and 1."""
    x = jnp.broadcast_to(jnp.arange(6.0)[None, :, None, None], (1, 6, 6, 1))
    np.testing.assert_allclose(adaptive_average_pool(x, 7)[0, :, 0, 0], [0, 0.5, 1.5, 2.5, 3.5, 4.5, 5])


@pytest.mark.parametrize(
    ("model", "factors"),
    [
        (RCNA(), {1: 1, 10: 1, 11: 0.5, 21: 0.25}),
        (OffTANet(), {60: 1, 61: 0.3, 121: 0.09}),
        (MACNN(), {50: 1, 51: 0.9}),
        (MicroAttention(), {10: 1, 11: 0.1, 51: 1e-5}),
        (HTNet(), {800: 1}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_step_sizes_fall_as_published(model: NetworkModel, factors: dict[int, float]) -> None:
    assert {epoch: model.rate_factor(epoch) for epoch in factors} == pytest.approx(factors)


def test_a_factor_scales_the_step_of_sgd() -> None:
    """Momentum remembers gradients and not steps, as in PyTorch."""
    model = RCNA(filters=4, pool=3, dropout=0.0)
    program = train_program.train_program(model, model.builder(model.example_shape, 3))
    state = program.init(np.random.default_rng(0))
    ones = np.ones(4, np.float32)
    batch = train_program.Batch(
        np.asarray(flows(model, 4) * 255, np.uint8), np.arange(4, dtype=np.int32) % 3, ones, ones
    )
    before = state.params["classifier"]["kernel"][...]
    whole, half = (program.train_step(state, batch, jax.random.key(0), 0, np.float32(f))[0] for f in (1, 0.5))
    moves = [np.asarray(one.params["classifier"]["kernel"][...] - before) for one in (whole, half)]
    np.testing.assert_allclose(moves[0], 2 * moves[1], rtol=1e-3, atol=1e-7)
    assert np.abs(moves[0]).max() > 1e-6
    for one, other in zip(jax.tree.leaves(whole.optimiser), jax.tree.leaves(half.optimiser), strict=True):
        np.testing.assert_array_equal(one, other)


def test_classes_follow_each_other_in_the_order_of_the_authors() -> None:
    y, rng = np.array([2, 0, 1, 0, 2, 1]), np.random.default_rng(0)
    train_idx = np.array([0, 1, 2, 3, 5])
    assert HTNet().epoch_order(train_idx, y, rng).tolist() == [1, 3, 2, 5, 0]
    shuffled: NDArray[Any] = HTNet(order="shuffled").epoch_order(train_idx, y, rng)
    assert sorted(shuffled.tolist()) == train_idx.tolist()
    assert isinstance(RCNA(), StepDecay)


def test_a_batch_larger_than_the_data_is_cut_down() -> None:
    """CausalNet's batch of 1,024 would compute 582 rows of padding for 442 clips; folds share one shape."""
    assert {train_program.rows_per_step(CausalNet(), n) for n in (403, 441, 448)} == {448}
    assert train_program.rows_per_step(HTNet(), 442) == 256
    assert train_program.rows_per_step(RCNA(), 3) == 64


@pytest.mark.parametrize(
    ("model", "shape", "text"),
    [
        (HTNet(), (4, 28, 28, 3), "htnet needs .* it reads single frames"),
        (
            CausalNet(),
            (1, 28, 28, 3),
            r"causalnet needs \(n, T=4, 28, 28, 3\), got .*; use the data set causalnet_maps",
        ),
        (DualInception(), (1, 28, 28, 1), "dual_inception needs .* channels u, v"),
        (RCNA(), (1, 14, 14, 3), "rcn_a needs .*; add optical_flow"),
        (OffTANet(), (1, 28, 28, 3), "off_tanet needs .*112, 112, 3.*; resize flow"),
        (MACNN(), (1, 28, 28, 3), "macnn needs .*112, 112, 3"),
        (MicroAttention(), (1, 112, 112, 3), "micro_attention needs .*224, 224, 3"),
    ],
)
def test_a_wrong_shape_is_rejected_with_the_step_that_fixes_it(
    model: NetworkModel, shape: tuple[int, ...], text: str
) -> None:
    with pytest.raises(DataError, match=text):
        model.check(shape)


def test_impossible_sizes_are_rejected() -> None:
    with pytest.raises(ValueError, match="dim: 20: expected a multiple of 8"):
        CausalNet(dim=20)
    with pytest.raises(ValueError, match="heads: 30: at most dim, 24"):
        HTNet(dim=24, heads=30)


def test_every_network_is_in_the_catalogue(builtin: Catalogue) -> None:
    result = {entry.load() for entry in builtin.entries if entry.kind == "model"}
    assert {type(model) for model in ZOO} <= result
    assert all(model.source and model.layers for model in ZOO)
