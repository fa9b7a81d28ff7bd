"""The laws that every family keeps that claims a contract."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from ensue.data.batches import Batch
from ensue.generation import Drawing, GenerationConfig, collect
from ensue.models.loading import load_model
from ensue.models.protocols import CONTRACTS, HasLogProb, select
from ensue.models.registry import FAMILIES, config_class, model_class
from tests.contracts.families import CASES, Case, batch_of, cases_that_stream, cases_with, label
from tests.generation.recorder import Recorder

every = pytest.mark.parametrize("case", CASES, ids=label)
encoding = pytest.mark.parametrize("case", cases_with("encodes"), ids=label)
scoring = pytest.mark.parametrize("case", cases_with("scores"), ids=label)
drawing = pytest.mark.parametrize("case", cases_with("samples"), ids=label)
stepping = pytest.mark.parametrize("case", cases_that_stream("steps"), ids=label)
recordable = pytest.mark.parametrize(
    "case",
    [c for c in cases_with("codes") if c.build().prompts(1).recordable(GenerationConfig())],
    ids=label,
)
layered = pytest.mark.parametrize(
    ("case", "layer"),
    [(case, name) for case in cases_that_stream("layers") for name in case.build().layers],
    ids=lambda value: value if isinstance(value, str) else label(value),
)


def padded(batch: Batch, extra: int) -> Batch:
    channels = (0, 0) * (batch.x.dim() - 2)
    x = torch.nn.functional.pad(batch.x, (*channels, 0, extra), value=7)
    return dataclasses.replace(batch, x=x)


@every
def test_family_keeps_exactly_the_contracts_it_claims(case: Case) -> None:
    model = case.build()
    kept = {name for name, protocol in CONTRACTS.items() if isinstance(model, protocol)}
    assert kept == set(FAMILIES[case.family].contracts)


@every
def test_loss_is_a_finite_sum_with_a_gradient_for_every_parameter(case: Case, seed: int) -> None:
    model = case.build()
    loss = model.loss(case.batch(case.items(4)), step=0)
    loss.mean.backward()
    assert loss.total.ndim == 0
    assert torch.isfinite(loss.total)
    assert loss.count > 0
    assert not any(m.requires_grad for m in loss.metrics.values())
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name


@every
def test_loss_is_a_function_of_batch_and_step(case: Case, seed: int) -> None:
    """Of nothing else but noise as dropout's, whose generator the trainer seeds by the step."""
    model, batch = case.build(), case.batch(case.items(4))
    torch.manual_seed(seed)
    first = model.loss(batch, step=3).total
    torch.manual_seed(seed if case.noisy else seed + 1)
    assert torch.equal(first, model.loss(batch, step=3).total)


@every
def test_padding_does_not_change_the_loss(case: Case, seed: int) -> None:
    model, batch = case.build().eval(), case.batch(case.items(4))
    if batch.lengths is None:
        pytest.skip("items of this family have no length")
    loss, more = (model.loss(b, step=0) for b in (batch, padded(batch, 700)))
    # Convolutions over longer tensors may sum in another order.
    torch.testing.assert_close(loss.total, more.total, rtol=1e-5, atol=1e-4)
    assert loss.count == more.count


@encoding
def test_padding_and_batch_order_do_not_change_features(case: Case, seed: int) -> None:
    model, items = case.build().eval(), case.items(5)
    together = batch_of(items)
    whole = model.encode(together.x, together.lengths)
    order = torch.randperm(5)
    turned = batch_of([items[i] for i in order])
    if turned.lengths is not None:
        turned = padded(turned, 500)
    again = model.encode(turned.x, turned.lengths)
    torch.testing.assert_close(again.embedding, whole.embedding[order], rtol=1e-4, atol=1e-5)
    for i, item in enumerate(items):
        alone = model.encode(item[None])
        torch.testing.assert_close(
            whole.embedding[i : i + 1], alone.embedding, rtol=1e-4, atol=1e-5
        )
        if alone.context is not None:
            frames = alone.context.shape[1]
            assert whole.lengths is None or int(whole.lengths[i]) == frames
            for name in ("local", "context"):
                a, b = getattr(whole, name)[i, :frames], getattr(alone, name)[0]
                torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


@scoring
def test_score_of_an_item_does_not_depend_on_the_others(case: Case, seed: int) -> None:
    model, items = case.build().eval(), case.items(4)
    batch = case.batch(items)
    together = model.score(batch.x, batch.lengths, **case.given(items))
    alone = torch.cat([model.score(i[None], **case.given([i])).total for i in items])
    torch.testing.assert_close(together.total, alone, rtol=1e-4, atol=1e-4)
    assert together.kind in ("exact", "order", "lower_bound", "information")


@drawing
def test_samples_have_the_log_prob_that_the_model_gives_them(case: Case, seed: int) -> None:
    model, given = case.build().eval(), case.given(case.items(1))
    drawn = model.sample(64, generator=torch.Generator().manual_seed(seed), **given)
    again = model.sample(64, generator=torch.Generator().manual_seed(seed), **given)
    assert torch.equal(drawn.values, again.values)
    if isinstance(model, HasLogProb):
        every = {name: of[drawn.item] for name, of in given.items()}
        again = model.log_prob(drawn.values, drawn.lengths, **every)
        torch.testing.assert_close(drawn.log_prob.to(again), again, rtol=1e-5, atol=1e-4)
    with pytest.raises(ValueError, match="temperature"):
        model.sample(1, temperature=-1.0, **given)
    with pytest.raises(ValueError, match="condition"):
        model.sample(1, condition=torch.zeros(1, 1))


@pytest.mark.parametrize("case", cases_with("latents"), ids=label)
def test_a_line_between_two_items_ends_where_these_come_back(case: Case, seed: int) -> None:
    model, items = case.build().double().eval(), case.items(2)
    with torch.no_grad():
        posteriors = [model.encode_posterior(item[None]) for item in items]
        line = model.interpolate(*(posterior.mu[0] for posterior in posteriors), 5, max_length=20)
        backs = [model.reconstruct(item[None], max_length=20) for item in items]
    assert all(float(posterior.kl()) >= 0 for posterior in posteriors)
    for point, back in zip((0, -1), backs, strict=True):
        n = int(back.lengths[0])
        assert int(line.lengths[point]) == n
        assert torch.equal(line.values[point, :n], back.values[0, :n])


@recordable
def test_recorded_steps_draw_what_single_steps_draw(case: Case, seed: int) -> None:
    prompts, record = case.build().double().eval().prompts(5), Recorder()
    config = GenerationConfig(max_length=80, num_rows=4)
    recorded, single = (
        collect(Drawing(prompts, config, generator=torch.Generator().manual_seed(0), record=how))
        for how in (record, None)
    )
    assert record.num_replays >= 40
    assert torch.equal(recorded.tokens, single.tokens)
    assert torch.equal(recorded.length, single.length)
    torch.testing.assert_close(recorded.log_prob, single.log_prob, rtol=0, atol=1e-9)


@stepping
@pytest.mark.parametrize("chunk", [1, 7, 160, 1000, 100_000])
def test_streaming_with_finish_equals_offline(case: Case, chunk: int, seed: int) -> None:
    # In single precision layer norm inside a recurrent step can make a rounding error grow.
    model, x = case.build().double().eval(), case.stretch(2, min(1333, case.longest))
    x = x.double() if x.is_floating_point() else x
    offline = model.encode(x)
    parts, state = [], model.init_state(2)
    with torch.no_grad():
        for piece in x.split(chunk, dim=1):
            features, state = model.step(piece, state)
            parts.append(features)
        features, state = model.finish(state)
    parts.append(features)
    for name in ("local", "context"):
        streamed = torch.cat([getattr(p, name) for p in parts], dim=1)
        torch.testing.assert_close(streamed, getattr(offline, name), rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(features.embedding, offline.embedding, rtol=1e-6, atol=1e-7)


@stepping
def test_selected_rows_of_a_state_stream_on_as_they_would_have(case: Case, seed: int) -> None:
    model = case.build().double().eval()
    steps, rows = min(1500, case.longest), torch.tensor([2, 0])
    x, half = case.stretch(3, steps), steps // 2
    x = x.double() if x.is_floating_point() else x
    with torch.no_grad():
        _, state = model.step(x[:, :half], model.init_state(3))
        chosen, _ = model.step(x[rows, half:], select(state, rows))
        everyone, _ = model.step(x[:, half:], state)
    # A product over fewer rows may sum in another order.
    torch.testing.assert_close(chosen.context, everyone.context[rows], rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("case", cases_that_stream("encodes"), ids=label)
def test_future_does_not_change_past(case: Case, seed: int) -> None:
    """Change every sample after frame t's receptive field: frames <= t are bit-equal."""
    model = case.build().eval()
    if not hasattr(model, "receptive_field"):
        pytest.skip("items of this family have no time")
    steps, t = min(4000, case.longest), 11
    x = case.stretch(2, steps)
    offset = model.encoder.offset if hasattr(model, "encoder") else 0
    end = t * model.hop - offset + model.receptive_field
    changed = x.clone()
    changed[:, end:] = case.stretch(2, steps - end)
    changed[:, end] = (x[:, end] + 1) % 9
    before, after = model.encode(x), model.encode(changed)
    for name in ("local", "context"):
        a, b = getattr(before, name), getattr(after, name)
        assert torch.equal(a[:, : t + 1], b[:, : t + 1])
        assert not torch.equal(a[:, t + 1], b[:, t + 1])


@layered
def test_padding_does_not_change_a_layer(case: Case, layer: str, seed: int) -> None:
    model, items = case.build().eval().up_to(layer), case.items(4)
    batch = padded(batch_of(items), 500)
    together = model.encode(batch.x, batch.lengths)
    for i, item in enumerate(items):
        alone = model.encode(item[None])
        frames = alone.context.shape[1]
        assert int(together.lengths[i]) == frames
        torch.testing.assert_close(
            together.context[i, :frames], alone.context[0], rtol=1e-4, atol=1e-5
        )
        torch.testing.assert_close(together.embedding[i], alone.embedding[0], rtol=1e-4, atol=1e-5)


@layered
def test_future_does_not_change_the_past_of_a_layer(case: Case, layer: str, seed: int) -> None:
    model = case.build().eval().up_to(layer)
    x, t = case.stretch(1, 4000), 5
    end = t * model.hop - model.encoder.offset + model.receptive_field
    changed = x.clone()
    changed[:, end:] = case.stretch(1, 4000 - end)
    a, b = model.encode(x).context, model.encode(changed).context
    assert torch.equal(a[:, : t + 1], b[:, : t + 1])
    assert not torch.equal(a[:, t + 1 :], b[:, t + 1 :])


@layered
@pytest.mark.parametrize("chunk", [7, 1000])
def test_layer_streams_as_it_encodes(case: Case, layer: str, chunk: int, seed: int) -> None:
    model = case.build().eval().up_to(layer)
    x = case.stretch(2, 1333)
    offline, parts, state = model.encode(x), [], model.init_state(2)
    with torch.no_grad():
        for piece in x.split(chunk, dim=1):
            features, state = model.step(piece, state)
            parts.append(features.context)
        features, state = model.finish(state)
    streamed = torch.cat([*parts, features.context], dim=1)
    torch.testing.assert_close(streamed, offline.context, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(features.embedding, offline.embedding, rtol=1e-4, atol=1e-5)
    assert features.frame_rate == offline.frame_rate


@layered
def test_every_layer_shares_the_weights_of_the_model(case: Case, layer: str) -> None:
    model = case.build()
    own = {p.data_ptr() for p in model.parameters()}
    assert {p.data_ptr() for p in model.up_to(layer).parameters()} <= own
    assert model.up_to(layer).training


@pytest.mark.parametrize("case", cases_that_stream("layers"), ids=label)
def test_layers_end_where_the_model_does(case: Case, seed: int) -> None:
    model, x = case.build().eval(), case.stretch(2, 3200)
    whole, layers = model.encode(x), model.layers
    for name, expected in (
        (layers[-1], whole.context),
        (layers[-2], whole.context),
        ("local", whole.local),
        (layers[layers.index("local") - 1], whole.local),
    ):
        torch.testing.assert_close(model.up_to(name).encode(x).context, expected)
    with pytest.raises(ValueError, match="unknown layer 'kontext': did you mean 'context'"):
        model.up_to("kontext")


@every
def test_saved_model_is_the_same_model(case: Case, seed: int, tmp_path: Path) -> None:
    model = case.build().eval()
    model.save_pretrained(tmp_path)
    mixin = model_class(case.family).from_pretrained(tmp_path)
    batch = case.batch(case.items(2))
    for other in (load_model(tmp_path), mixin.eval()):
        assert other.config == model.config
        assert torch.equal(other.loss(batch, step=0).total, model.loss(batch, step=0).total)


@every
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "format 2"),
        ({"format": None}, "no format number"),
        ({"colour": "red"}, "colour"),
        ({"family": "other"}, "other"),
    ],
)
def test_foreign_or_newer_config_is_refused(
    case: Case, change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    case.build().save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ValueError, match=message):
        load_model(tmp_path)


@every
def test_float64_agrees_with_float32(case: Case, seed: int) -> None:
    model, batch = case.build().eval(), case.batch(case.items(4))
    single = model.loss(batch, step=0)
    double = model.double().loss(dataclasses.replace(batch, x=batch.x.double()), step=0)
    assert double.total.dtype == torch.float64
    torch.testing.assert_close(single.total.double(), double.total, rtol=1e-4, atol=1e-3)


@every
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .grad attribute")  # the tracer's own, at a graph break
def test_compiled_loss_equals_eager(case: Case, seed: int) -> None:
    model, batch = case.build().eval(), case.batch(case.items(2))
    compiled = torch.compile(lambda b: model.loss(b, step=0).total, backend="aot_eager")
    torch.testing.assert_close(compiled(batch), model.loss(batch, step=0).total)


@every
def test_configuration_refuses_what_it_does_not_know(case: Case) -> None:
    config = config_class(case.family)
    model = case.build()
    with pytest.raises(TypeError, match="colour"):
        config(colour="red")
    wrong = dataclasses.replace(model.config, format=3)
    with pytest.raises(ValueError, match="format"):
        type(model)(wrong)


@encoding
def test_every_variant_to_compare_with_encodes(case: Case, seed: int) -> None:
    model = case.build()
    batch = case.batch(case.items(2))
    for config in model.untrained_variants().values():
        features = model_class(case.family)(config).eval().encode(batch.x, batch.lengths)
        assert features.embedding.isfinite().all()
