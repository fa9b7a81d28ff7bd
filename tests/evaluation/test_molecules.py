"""Measures of molecules: equal to their definitions, written out on small sets."""

import itertools
import math
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rdkit")

from rdkit import Chem, DataStructs
from rdkit.Chem import BRICS, QED, Crippen, Descriptors, rdFingerprintGenerator
from rdkit.Chem.Scaffolds import MurckoScaffold
from rdkit.Contrib.SA_Score import sascorer
from scipy.spatial import distance
from scipy.stats import wasserstein_distance

from ensue.evaluation.molecules import (
    describe,
    facts,
    internal_diversity,
    measure,
    nearest_similarity,
    tanimoto,
)
from ensue.evaluation.molecules.draw import draw_grid
from ensue.evaluation.molecules.measures import cosine

DRAWN = ["CCO", "OCC", "c1ccc2ccccc2c1", "C(", "", "CC(=O)Nc1ccc(O)cc1", "C1CC1C1CCCCC1", "[Na+]"]
REFERENCE = ["CCN", "c1ccc2[nH]ccc2c1", "CC(=O)Oc1ccccc1C(=O)O", "OCC", "c1ccc2ccccc2c1CC"]
TRAINING = ["CCO", "c1ccccc1"]


def molecules(smiles: list[str]) -> list[Chem.Mol]:
    found = [Chem.MolFromSmiles(s) for s in smiles if s]
    return [m for m in found if m is not None]


def similarities(a: list[str], b: list[str]) -> np.ndarray:
    """By rdkit's own bit vectors, pair by pair."""
    of = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=1024)
    prints = [[of.GetFingerprint(m) for m in molecules(x)] for x in (a, b)]
    rows = [[DataStructs.TanimotoSimilarity(x, y) for y in prints[1]] for x in prints[0]]
    return np.array(rows)


def angle(a: Counter[str], b: Counter[str]) -> float:
    """The cosine of the angle between two counts."""
    names = sorted(a | b)
    return 1 - float(distance.cosine([a[n] for n in names], [b[n] for n in names]))


def test_every_measure_is_its_definition() -> None:
    found = measure(describe(DRAWN), describe(REFERENCE), TRAINING)
    valid = [Chem.MolToSmiles(m) for m in molecules(DRAWN)]
    assert found["valid"] == 6 / 8
    assert found["unique@1k"] == found["unique@10k"] == len(set(valid)) / 6
    assert found["novelty"] == 4 / 5
    own = similarities(DRAWN, DRAWN)
    N = len(own)
    for p in (1, 2):
        total = sum(own[i, j] ** p for i, j in itertools.product(range(N), repeat=2))
        expected = 1 - (total / N**2) ** (1 / p)
        assert found[f"int_div_{p}"] == pytest.approx(expected, abs=1e-6)
    nearest = [max(row) for row in similarities(DRAWN, REFERENCE)]
    assert found["snn"] == pytest.approx(sum(nearest) / N, abs=1e-6)
    properties = {
        "logp": Crippen.MolLogP,
        "weight": Descriptors.MolWt,
        "qed": QED.default,
        "sa": sascorer.calculateScore,
    }
    for name, of in properties.items():
        values = [[of(m) for m in molecules(x)] for x in (DRAWN, REFERENCE)]
        expected = wasserstein_distance(*values)
        assert found[f"wasserstein_{name}"] == pytest.approx(expected, abs=1e-6)
    pieces = [
        Counter(
            ".".join(Chem.MolToSmiles(BRICS.BreakBRICSBonds(m)) for m in molecules(x)).split(".")
        )
        for x in (DRAWN, REFERENCE)
    ]
    assert found["fragments"] == pytest.approx(angle(*pieces), abs=1e-6)
    counts = [
        Counter(Chem.MolToSmiles(MurckoScaffold.GetScaffoldForMol(m)) for m in molecules(x))
        for x in (DRAWN, REFERENCE)
    ]
    few = [Counter({s: n for s, n in c.items() if s.count("1") >= 2 and "2" in s}) for c in counts]
    assert found["scaffolds"] == pytest.approx(angle(*few), abs=1e-6)
    assert found["filters"] == 1


def test_distances_of_properties_are_those_of_sorted_values_for_equal_numbers() -> None:
    """For equally many, the Wasserstein distance is the mean distance in sorted order."""
    a, b = describe(["CCO", "CCCCO", "c1ccccc1"]), describe(["CC", "CCN", "CCC=O"])
    found = measure(a, b)
    for name in ("logp", "sa", "qed", "weight"):
        expected = np.abs(np.sort(a.properties[name]) - np.sort(b.properties[name])).mean()
        assert found[f"wasserstein_{name}"] == pytest.approx(expected, abs=1e-6)
    assert "novelty" not in found


def test_similarity_of_packed_bits_is_that_of_sets(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 2**63, (2, 7, 16), dtype=np.uint64)
    a[0] = b[0] = 0
    sets = [
        [{64 * w + k for w in range(16) for k in range(64) if int(x[w]) >> k & 1} for x in of]
        for of in (a, b)
    ]
    for i, j in itertools.product(range(7), repeat=2):
        one, other = sets[0][i], sets[1][j]
        expected = len(one & other) / len(one | other) if one | other else 1.0
        assert tanimoto(a, b)[i, j] == pytest.approx(expected, abs=1e-12)
    assert nearest_similarity(a, b).tolist() == tanimoto(a, b).max(1).tolist()
    assert internal_diversity(a) == pytest.approx(1 - tanimoto(a, a).mean())


def test_a_set_is_itself_and_nothing_is_nothing() -> None:
    same = describe(REFERENCE)
    found = measure(same, same, REFERENCE)
    assert found["snn"] == found["fragments"] == pytest.approx(1)
    assert found["scaffolds"] == pytest.approx(1)
    assert not any(found[f"wasserstein_{n}"] for n in ("logp", "sa", "qed", "weight"))
    none = measure(describe(["C(", ""]), same, REFERENCE)
    assert none["valid"] == 0
    assert all(math.isnan(value) for name, value in none.items() if name != "valid")
    one = measure(describe(["C"]), same)
    assert one["unique@1k"] == 1
    assert one["int_div_1"] == 0
    assert math.isnan(cosine({}, {"a": 1}))


def test_a_grid_shows_every_molecule() -> None:
    svg = draw_grid(["CCO", "c1ccccc1", "CCN"], across=2)
    assert svg.count("</svg>") == 1
    assert "width='440px' height='320px'" in svg


@pytest.mark.slow
def test_measures_of_molecules_take_little_more_than_what_rdkit_needs() -> None:
    """Of the time of the processor on this machine: patterns of PAINS and QED are most of it."""
    import gzip

    path = Path(__file__).parents[2] / "../shared/data/molecules/zinc_qed_train.smi.gz"
    if not path.exists():
        pytest.skip("shared/data/molecules isn't beside the checkout")
    lines = gzip.decompress(path.read_bytes()).decode().split()
    reference = describe(lines[20_000:21_000], num_processes=1)
    found = molecules(lines[:1_000])
    begun = time.process_time()
    for molecule in found:
        facts.alerts().HasMatch(molecule)
        QED.qed(molecule)
    of_rdkit = time.process_time() - begun
    begun = time.process_time()
    measured = measure(describe(lines[:1_000], num_processes=1), reference, lines)
    assert time.process_time() - begun < 2 * of_rdkit
    assert measured["valid"] == 1
