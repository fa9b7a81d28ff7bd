"""Molecules as data: SMILES by line or column, in tokens of that notation, taken whole."""

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch

from ensue.data.codecs import load_codec, save_codec
from ensue.data.config import DataConfig
from ensue.data.items import Items
from ensue.data.kinds.text.codec import Special, TextCodec, codec_of_tokens
from ensue.data.sources import open_items
from ensue.data.store import open_store
from ensue.data.windows import Windows
from ensue.errors import ConfigError, DataError

LINES = "smiles name\nCCO ethanol\n\nBrCl\nC[C@@H](N)Cl\tan amine\nC%12CC%12\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "few.smi"
    path.write_text(LINES)
    return path


def test_a_line_is_a_molecule_and_its_name(file: Path, tmp_path: Path) -> None:
    items = open_items(file, DataConfig(), cache=tmp_path)
    assert items.kind == "smiles"
    assert list(items.raw) == ["CCO", "BrCl", "C[C@@H](N)Cl", "C%12CC%12"]
    assert items.ids[1] == "few.smi:4"
    assert items.labels["name"] == ["ethanol", "", "an amine", ""]
    with gzip.open(tmp_path / "few.smi.gz", "wt") as zipped:
        zipped.write("CCO\n")
    folder = open_items(tmp_path, DataConfig(), cache=tmp_path)
    assert len(folder) == 5


def test_a_column_of_a_table_is_molecules_and_the_others_are_labels(tmp_path: Path) -> None:
    path = tmp_path / "few.csv"
    path.write_text("SMILES,qed\nCCO,0.4\nCC,0.3\n")
    items = open_items(path, DataConfig(), cache=tmp_path)
    assert (items.kind, list(items.raw)) == ("smiles", ["CCO", "CC"])
    assert items.labels["qed"] == ["0.4", "0.3"]


def test_marks_of_the_notation_stay_whole(file: Path, tmp_path: Path) -> None:
    items = open_items(file, DataConfig(), cache=tmp_path)
    codec = TextCodec.fit(items, DataConfig(), range(4))
    assert codec.kind == "smiles"
    assert codec.split("C[C@@H](N)Cl%12Br") == ["C", "[C@@H]", "(", "N", ")", "Cl", "%12", "Br"]
    for raw in items.raw:
        assert codec.decode(codec.encode(raw)) == raw
    strange = codec.encode("CSO")
    assert strange.tolist()[2] == codec.unk
    assert codec.decode(strange) == "C\ufffdO"
    assert codec.decode(torch.tensor([codec.bos, codec.pad, codec.eos])) == ""


@pytest.mark.parametrize("odd", ["", "[", "]C", "[C", "C%1", "%", "\u00e9"])
def test_what_is_no_smiles_is_cut_without_loss(odd: str) -> None:
    codec = TextCodec(tokens="smiles", vocabulary=("C",))
    assert "".join(codec.split(odd)) == odd


def test_vocabularies_are_json_with_their_special_tokens(tmp_path: Path) -> None:
    codec = codec_of_tokens(["C", "<pad>", "l", "<bos>", "<eos>", "<unk>"])
    save_codec(codec, tmp_path / "codec.json")
    again = load_codec(tmp_path / "codec.json")
    assert again == codec
    assert codec.special == Special(bos=3, eos=4, unk=5, pad=1)
    assert codec.num_tokens == 6
    assert codec.encode("Cl<bos>").tolist()[:3] == [3, 0, 2]
    for vocabulary in (["C"], ["CC", "<bos>", "<eos>", "<pad>", "<unk>"]):
        with pytest.raises(ConfigError, match="single characters"):
            codec_of_tokens(vocabulary)


def windows(tmp_path: Path, texts: list[str], size: int) -> Windows:
    codec = TextCodec(tokens="bytes")
    items = Items(kind="text", ids=[str(i) for i in range(len(texts))], raw=texts, fingerprint="")
    store = open_store(items, codec, tmp_path)
    return Windows(store=store, rows=np.arange(len(texts)), size=size, whole=True)


def test_whole_items_are_never_cut_and_padded_to_the_longest_of_the_batch(tmp_path: Path) -> None:
    texts = ["a" * n for n in (1, 4, 2, 9, 3)]
    of = windows(tmp_path, texts, 7)
    assert of.too_long.tolist() == [3]
    seen = set()
    for step in range(6):
        batch = of.draw(step, 2)
        assert batch.lengths is not None
        assert batch.item is not None
        assert batch.x.shape[1] == int(batch.lengths.max())
        for x, n, item in zip(batch.x, batch.lengths.tolist(), batch.item.tolist(), strict=True):
            expected = [256, *([97] * len(texts[item])), 257]
            assert x[:n].tolist() == expected
            assert not x[n:].any()
            seen.add(item)
    assert seen == {0, 1, 2, 4}
    assert sum(len(batch) for batch in of.fixed(9, 4)) == 4


def test_only_items_too_long_are_an_error_that_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="window_tokens"):
        windows(tmp_path, ["abcdefgh"], 5)


def test_sentences_end_where_readers_think_so(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text('Mr. Weston sat\ndown. "Why?" said J. B. Smith! Then\n\nA title\n\nI. Left.')
    items = open_items(path, DataConfig(text_items="sentence"), cache=tmp_path)
    assert list(items.raw) == [
        "Mr. Weston sat down.",
        '"Why?" said J. B. Smith!',
        "Then",
        "A title",
        "I.",
        "Left.",
    ]
    path.write_text("Il part. Élise dort. Ça va... Oui" + "." * 3000)
    assert len(open_items(path, DataConfig(text_items="sentence"), cache=tmp_path)) == 4
