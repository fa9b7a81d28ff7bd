"""What shared code reads of models: every family has it by name, and families share by one rule."""

import inspect

import pytest
from torch import nn

from ensue.models import traits
from ensue.models.cpc.features import FrameModel
from ensue.models.flows.model import FlowModel
from ensue.models.registry import FAMILIES, config_class, model_class
from ensue.models.tokens.model import TokenModel
from tests.contracts.families import CASES

OF_MODELS = {
    traits.TakesWholeItems: {"vae", "seq2seq"},
    traits.HasShortestItem: set(FAMILIES) - {"masked"},
    traits.HasGeometry: {"cpc", "causal", "charrnn"},
    traits.NamesSteps: {"cpc"},
    traits.SurprisesByPatch: {"cpc"},
    traits.HasFlow: {"maf", "realnvp"},
    traits.BeginsWithVectors: {"vae"},
    traits.Standardizes: {"maf", "realnvp", "seq2seq"},
    traits.HasSchedule: {"vae", "seq2seq"},
    traits.Remarks: {"vae"},
}
OF_SETTINGS = {
    traits.HasSampleRate: {"cpc"},
    traits.PredictsAhead: {"cpc"},
    traits.Conditioned: {"causal", "pixelcnn", "maf", "realnvp"},
    traits.Generates: {"causal", "charrnn", "pixelcnn", "masked", "vae", "seq2seq"},
    traits.SizesLatents: {"vae"},
    traits.HasVectors: {"vae"},
    traits.RefusesTraining: {"cpc"},
    traits.SuitsRows: {"maf", "realnvp"},
}
MODELS = {case.family: case.build() for case in CASES}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_has_the_traits_that_shared_code_asks_for(family: str) -> None:
    model = MODELS[family]
    assert isinstance(model, traits.Model)
    assert isinstance(model.config, traits.ModelSettings)
    assert {t for t in OF_MODELS if isinstance(model, t)} == {
        t for t, families in OF_MODELS.items() if family in families
    }
    assert {t for t in OF_SETTINGS if isinstance(model.config, t)} == {
        t for t, families in OF_SETTINGS.items() if family in families
    }
    has_older = isinstance(config_class(family), traits.HasOlderSettings)
    assert has_older == (family in {"maf", "realnvp"})


@pytest.mark.parametrize("family", FAMILIES)
def test_a_class_is_abstract_or_final(family: str) -> None:
    """A family's own class has no subclass; what it inherits from of ours is made by none."""
    final = model_class(family)
    assert not final.__subclasses__()
    ours = [
        c for c in final.__mro__[1:] if c.__module__.startswith("ensue.") and nn.Module in c.__mro__
    ]
    assert not [c for c in ours if c in {type(model) for model in MODELS.values()}]
    assert not inspect.isabstract(final)


@pytest.mark.parametrize("shared", [FrameModel, FlowModel, TokenModel])
def test_a_method_of_several_families_is_written_once(shared: type) -> None:
    """No final class replaces what the abstract one does, but for its constructor."""
    for family in FAMILIES:
        final = model_class(family)
        if issubclass(final, shared):
            concrete = {
                name
                for name, value in vars(shared).items()
                if callable(value)
                and not name.startswith("__")
                and not getattr(value, "__isabstractmethod__", False)
            }
            assert not concrete & set(vars(final)), family
