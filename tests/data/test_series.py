"""Series: whatever they come in, the same steps, channels, rate and gaps; scaled and back."""

import gzip
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from ensue.data.codecs import fit_codec
from ensue.data.config import DataConfig
from ensue.data.items import Items
from ensue.data.kinds.series.codec import SeriesCodec
from ensue.data.kinds.series.record import Record, read
from ensue.data.kinds.series.stamps import resampled, seconds_of, steps_of
from ensue.data.kinds.series.wfdb import package
from ensue.data.sources import open_items
from ensue.data.sources.data import Data
from ensue.data.survey import survey
from ensue.data.wanted import Wanted
from ensue.errors import ConfigError, DataError, MissingExtraError

SERIES = Wanted(("series",))


def opened(data: Data, *, wanted: Wanted = SERIES, **settings: Any) -> Items:
    return open_items(data, DataConfig(**settings), cache=Path("cache"), wanted=wanted)


def only(data: Data, **settings: Any) -> Record:
    (raw,) = opened(data, **settings).raw
    return read(raw)


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


X = np.array([[1.0, 10.0], [2.0, 20.0], [np.nan, 30.0], [4.0, 40.0]])
CSV = "a,b\n1,10\n2,20\n,30\n4,40\n"


def as_csv(folder: Path) -> Data:
    return written(folder / "x.csv", CSV)


def as_parquet(folder: Path) -> Data:
    path = folder / "x.parquet"
    pq.write_table(pa.table({"a": [1.0, 2.0, None, 4.0], "b": [10, 20, 30, 40]}), path)
    return path


def as_jsonl(folder: Path) -> Data:
    rows = ['{"a": 1, "b": 10}', '{"a": 2, "b": 20}', '{"b": 30}', '{"a": 4, "b": 40}']
    return written(folder / "x.jsonl", "\n".join(rows))


def as_zipped_csv(folder: Path) -> Data:
    with gzip.open(folder / "x.csv.gz", "wt") as file:
        file.write(CSV)
    return folder / "x.csv.gz"


def as_semicolons(folder: Path) -> Data:
    return written(folder / "x.csv", CSV.replace(",", ";"))


def as_folder(folder: Path) -> Data:
    return written(folder / "all" / "x.csv", CSV).parent


def as_manifest(folder: Path) -> Data:
    written(folder / "x.csv", CSV)
    return written(folder / "list.csv", "path\nx.csv\n")


def as_long_table(folder: Path) -> Data:
    text = "machine," + CSV.replace("\n", "\nm1,").removesuffix("m1,")
    return written(folder / "long.csv", text)


def as_columns(folder: Path) -> Data:
    return {"a": [1.0, 2.0, None, 4.0], "b": [10, 20, 30, 40]}


FORMS = {
    form.__name__: form
    for form in (
        as_csv,
        as_parquet,
        as_jsonl,
        as_semicolons,
        as_zipped_csv,
        as_folder,
        as_manifest,
        as_long_table,
        as_columns,
    )
}


@pytest.mark.parametrize("form", FORMS)
def test_a_series_is_the_same_in_any_form(form: str, tmp_path: Path) -> None:
    alone = ("as_csv", "as_parquet", "as_jsonl", "as_semicolons", "as_zipped_csv")
    alone = (*alone, "as_columns")
    settings = {"stamps": "ignore"} if form in alone else {}
    if form == "as_long_table":
        settings = {"item": "machine"}
    record = only(FORMS[form](tmp_path), **settings)
    np.testing.assert_array_equal(record.values, X)
    assert record.channels == ("a", "b")
    assert record.rate is None


def as_npy(folder: Path, x: np.ndarray) -> Data:
    np.save(folder / "x.npy", x)
    return folder / "x.npy"


def as_npz(folder: Path, x: np.ndarray) -> Data:
    np.savez(folder / "x.npz", x=x, y=np.array(["u", "v"]))
    return folder / "x.npz"


def as_ts(folder: Path, x: np.ndarray) -> Data:
    cases = [
        ":".join(",".join("?" if np.isnan(v) else str(v) for v in channel) for channel in one.T)
        for one in x
    ]
    text = "# a comment\n@problemName Tiny\n@timestamps false\n@classLabel true u v\n@data\n"
    text += "".join(f"{case}:{label}\n" for case, label in zip(cases, "uv", strict=True))
    with gzip.open(folder / "x.ts.gz", "wt") as file:
        file.write(text)
    return folder / "x.ts.gz"


def as_array(folder: Path, x: np.ndarray) -> Data:
    return x


def as_tensors(folder: Path, x: np.ndarray) -> Data:
    return [torch.tensor(one) for one in x]


@pytest.mark.parametrize("form", [as_npy, as_npz, as_ts, as_array, as_tensors])
def test_arrays_of_several_series_are_read_in_order(form: Any, tmp_path: Path) -> None:
    x = np.stack([X, 2 * X, 3 * X])[:2]
    items = opened(form(tmp_path, x))
    assert len(items) == 2
    for raw, expected in zip(items.raw, x, strict=True):
        np.testing.assert_array_equal(read(raw).values, expected)
    if form in (as_npz, as_ts):
        assert items.labels == {"label": ["u", "v"]}


def test_a_folder_of_an_archive_says_what_is_for_the_test(tmp_path: Path) -> None:
    for side in ("TRAIN", "TEST"):
        written(tmp_path / f"Tiny_{side}.ts", "@classLabel true u v\n@data\n1,2:u\n3,4:v\n")
    items = opened(tmp_path)
    assert items.labels["split"] == ["test", "test", "train", "train"]
    assert items.labels["label"] == ["u", "v", "u", "v"]


def test_sub_folders_are_labels_and_metadata_are_more(tmp_path: Path) -> None:
    for label in ("good", "worn"):
        written(tmp_path / label / "0.csv", CSV)
    assert opened(tmp_path).labels == {"label": ["good", "worn"]}
    written(tmp_path / "metadata.csv", "path,hours\ngood/0.csv,3\nworn/0.csv,900\n")
    assert opened(tmp_path).labels == {"hours": ["3", "900"]}


def test_rows_of_a_long_table_go_to_their_series(tmp_path: Path) -> None:
    text = "id,x,site\nq,1,north\np,5,south\nq,2,north\np,6,south\n"
    items = opened(written(tmp_path / "long.csv", text), item="id")
    assert list(items.ids) == ["q", "p"]  # as they come
    assert [read(raw).values[:, 0].tolist() for raw in items.raw] == [[1, 2], [5, 6]]
    assert items.labels == {"site": ["north", "south"]}


@pytest.mark.parametrize(
    ("text", "settings", "kinds", "kind"),
    [
        ("time,x\n0,1\n1,2\n", {}, ("series", "audio"), "series"),
        ("time,x\n0,1\n1,2\n", {}, ("table", "series"), "table"),
        ("time,x\n0,1\n1,2\n", {}, (), "table"),
        ("time,x\n0,1\n1,2\n", {"time": "time"}, (), "series"),
        ("file,x\na,1\nb,2\n", {}, ("series", "audio"), "table"),
        ("file,x\na,1\nb,2\n", {"rate": 2.0}, ("series", "audio"), "series"),
        ("file,x\na,1\na,2\n", {"item": "file"}, ("series", "audio"), "series"),
        ("file,x\na,1\nb,2\n", {}, ("series",), "series"),
    ],
)
def test_a_table_is_a_series_where_something_says_so(
    text: str, settings: dict[str, Any], kinds: tuple[str, ...], kind: str, tmp_path: Path
) -> None:
    path = written(tmp_path / "x.csv", text)
    assert opened(path, wanted=Wanted(kinds), **settings).kind == kind


def test_gray_pictures_stay_pictures() -> None:
    wanted = Wanted(("audio", "image", "series"))
    assert opened(np.zeros((3, 8, 8), np.uint8), wanted=wanted).kind == "image"
    assert opened(np.zeros((3, 8, 8), np.float32), wanted=wanted).kind == "series"
    with pytest.raises(DataError, match=r"255 \* x"):
        opened(np.zeros((3, 8, 8), np.float32), wanted=Wanted(("image",)))


TIMES = {
    "seconds": ("0", "0.5", "1.0", "2.0"),
    "dates": ("2024-01-01", "2024-01-02", "2024-01-03", "2024-01-05"),
    "iso": ("2024-03-31T01:00:00", "2024-03-31T01:00:30", "2024-03-31T01:01", "2024-03-31T01:02"),
    "zones": (
        "2024-03-31T00:30:00+01:00",
        "2024-03-31T01:30:00+02:00",  # the same moment as 23:30 UTC: clocks have changed
        "2024-03-31T03:30:00+03:00",
        "2024-03-31T05:30:00+03:00",
    ),
}


@pytest.mark.parametrize("form", ["seconds", "dates", "iso"])
def test_a_row_that_is_lacking_is_a_gap(form: str, tmp_path: Path) -> None:
    rows = "".join(f"{time},{i}\n" for i, time in enumerate(TIMES[form]))
    record = only(written(tmp_path / "x.csv", f"time,x\n{rows}"))
    np.testing.assert_array_equal(record.values[:, 0], [0, 1, 2, np.nan, 3])
    assert record.rate == {"seconds": 2, "dates": 1 / 86_400, "iso": 1 / 30}[form]
    assert record.row is not None
    assert record.row.tolist() == [0, 1, 2, -1, 3]


def test_times_in_zones_are_compared_in_utc() -> None:
    table = pa.table({"time": ["2024-03-31T01:59:00+01:00", "2024-03-31T03:00:00+02:00"]})
    assert seconds_of(table, "time").tolist() == [0, 60]
    mixed = pa.table({"time": ["2024-03-31T01:59:00+01:00", "2024-03-31T03:00:00"]})
    with pytest.raises(DataError, match="some times have a time zone and others have none"):
        seconds_of(mixed, "time")


def test_typed_times_keep_their_nanoseconds() -> None:
    start = np.datetime64("2024-01-01T00:00:00", "ns")
    times = start + np.arange(5) * np.timedelta64(1_000, "ns")
    seconds = seconds_of(pa.table({"t": times}), "t")
    np.testing.assert_allclose(seconds, np.arange(5) * 1e-6, rtol=1e-9)


@pytest.mark.parametrize(
    ("seconds", "message"),
    [
        ([0, 1, 1, 2], "row 3 has the time of the row before it"),
        ([0, 1, 0.5, 2], "row 3 has the time of the row before it, or an earlier one"),
        ([0, 1, 2, 3.4, 4], "row 4 after 1.4 s; set stamps to resample"),
        ([0, 1, 2, 1e7], "after row 3 there are 9,999,997 steps without a row"),
    ],
)
def test_times_that_are_no_steps_are_refused(seconds: list[float], message: str) -> None:
    with pytest.raises(DataError, match=message):
        steps_of(np.array(seconds, float), "time")


def test_jitter_is_no_gap(seed: int) -> None:
    rng = np.random.default_rng(seed)
    seconds = np.arange(1000) * 0.01 + rng.uniform(-0.0004, 0.0004, 1000)
    steps = steps_of(seconds, "time", 100.0)
    np.testing.assert_array_equal(steps.row, np.arange(1000))


def test_resampled_lines_stay_lines(seed: int) -> None:
    """A straight line, measured at uneven times, is that line at even ones, gaps aside."""
    rng = np.random.default_rng(seed)
    seconds = np.sort(rng.choice(np.arange(4000), 2000, replace=False)) * 0.01
    values = np.stack([3 * seconds + 1, -seconds], axis=1)
    for rate in (200.0, 20.0):
        x, found = resampled(values, seconds, "time", rate)
        at = seconds[0] + np.arange(len(x)) / rate
        known = ~np.isnan(x)
        assert found.rate == rate
        # A mean over a step lies within half a step of its middle.
        np.testing.assert_allclose(x[known[:, 0], 0], (3 * at + 1)[known[:, 0]], atol=1.6 / rate)
        assert known.mean() > 0.3
    far = np.array([0.0, 1.0, 2.0, 9.0, 10.0])
    x, _ = resampled(far[:, None], far, "time", 2.0)
    assert np.flatnonzero(np.isnan(x[:, 0])).tolist() == list(range(5, 18))


def test_ignored_stamps_make_rows_steps(tmp_path: Path) -> None:
    path = written(tmp_path / "x.csv", "timestamp,x\n2024-01-01,1\n2024-01-01,2\n2023-01-01,3\n")
    record = only(path, stamps="ignore")
    assert record.values[:, 0].tolist() == [1, 2, 3]
    assert record.rate is None
    assert only(path, stamps="ignore", rate=4.0).rate == 4


def test_labels_of_steps_are_no_channels(tmp_path: Path) -> None:
    path = written(tmp_path / "x.csv", "a,anomaly,state\n1,0,on\n2,1,off\n")
    assert only(path, rate=1.0).channels == ("a", "anomaly")
    record = only(path, step_labels=("anomaly",))
    assert record.channels == ("a",)
    assert record.left_out == ("state",)
    assert only(path, rate=1.0, columns=("anomaly", "a")).channels == ("anomaly", "a")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\n", "no rows"),
        ("a,b\nx,y\nz,w\n", "no column holds numbers"),
        ("a,b\n1,2\nhigh,3\n", "column 'a' holds 'high' in row 2, which is no number"),
        ("a;b\n1,5;2\n2,5;3\n", "column 'a' holds '1,5'; if that is a decimal comma, set decimal"),
        ("a\nNA\nNA\n", "no column holds numbers"),
        ("a\n1\ninf\n", "channel 'a' has infinite values"),
        (
            "time,a\nyesterday,1\nnow,2\n",
            "column 'time' holds 'yesterday' in row 1, which is no time",
        ),
    ],
)
def test_what_cannot_be_a_series_says_why(text: str, message: str, tmp_path: Path) -> None:
    settings = {"time": "time"} if text.startswith("time") else {"rate": 1.0}
    with pytest.raises(DataError, match=message):
        only(written(tmp_path / "x.csv", text), **settings)


def test_a_decimal_comma_is_a_setting(tmp_path: Path) -> None:
    path = written(tmp_path / "x.csv", "a;b\n1,5;2\n-2,5e1;3\n")
    assert only(path, decimal=",", rate=1.0).values.tolist() == [[1.5, 2], [-25, 3]]


def test_a_million_channels_are_refused() -> None:
    with pytest.raises(DataError, match="3 steps of 1,000,000 channels, and 4,096"):
        only([np.zeros((3, 1_000_000), np.float32)])


def test_one_bad_series_leaves_the_others(tmp_path: Path) -> None:
    x = np.stack([X, np.full_like(X, np.nan), X])
    np.save(tmp_path / "x.npy", x)
    raw = opened(tmp_path / "x.npy").raw
    assert [len(read(raw[i])) for i in (0, 2)] == [4, 4]
    with pytest.raises(DataError, match="all its values are missing"):
        read(raw[1])


def test_channels_of_arrays_are_chosen_by_number() -> None:
    x = np.arange(12.0).reshape(1, 4, 3)
    assert only(x, columns=("x2", "x0")).values.tolist() == x[0][:, [2, 0]].tolist()
    with pytest.raises(DataError, match="unknown channel 'x3'"):
        only(x, columns=("x3",))


@pytest.mark.parametrize(
    "settings",
    [
        {"time": "t"},
        {"stamps": "resample"},
        {"decimal": ","},
        {"step_labels": ("a",)},
        {"item": "i"},
    ],
)
def test_settings_of_tables_are_no_settings_of_arrays(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    np.save(tmp_path / "x.npy", X)
    with pytest.raises(ConfigError, match=f"{next(iter(settings))} is "):
        opened(tmp_path, **settings)


def test_rates_are_told_by_the_whole_record() -> None:
    """64 Hz, in stamps of whole milliseconds."""
    seconds = np.floor(np.arange(6400) / 64 * 1000) / 1000
    assert steps_of(seconds, "time").rate == pytest.approx(64, rel=1e-4)


def fitted(items: Items, **settings: Any) -> SeriesCodec:
    codec = fit_codec(items, DataConfig(**settings), range(len(items)))
    assert isinstance(codec, SeriesCodec)
    return codec


@pytest.mark.parametrize("scaling", ["channel", "robust", "none"])
def test_scaled_values_come_back(scaling: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    arrays = [rng.normal(5, 3, (50, 2)) * [1, 100] for _ in range(4)]
    arrays[1][7, 1] = np.nan
    codec = fitted(opened(arrays), scaling=scaling)
    for x in arrays:
        encoded = codec.encode(x)
        np.testing.assert_allclose(codec.decode(encoded), x, rtol=1e-5, atol=1e-3)
        known = ~torch.isnan(encoded)
        jacobian = -sum(np.log(s) * int(k) for s, k in zip(codec.scale, known.sum(0), strict=True))
        assert codec.log_det(x) == pytest.approx(float(jacobian))
    together = torch.cat([codec.encode(x) for x in arrays])
    if scaling == "channel":
        known = [c[~c.isnan()] for c in together.T]
        np.testing.assert_allclose([c.mean() for c in known], 0, atol=1e-5)
        np.testing.assert_allclose([c.std(correction=0) for c in known], 1, atol=1e-5)
    if scaling == "robust":
        assert together[:, 0].median().abs() < 0.05


def test_each_item_may_have_its_own_scale(seed: int) -> None:
    rng = np.random.default_rng(seed)
    codec = fitted(opened([rng.normal(5, 3, (50, 2)) for _ in range(3)]), scaling="item")
    encoded = codec.encode(rng.normal(-100, 7, (80, 2)))
    torch.testing.assert_close(encoded.mean(0), torch.zeros(2), atol=1e-5, rtol=0)


def test_a_channel_that_never_changes_keeps_its_unit() -> None:
    codec = fitted(opened([np.array([[1.0, 5.0], [2.0, 5.0]])]))
    assert codec.scale[1] == 1
    assert codec.encode(np.array([[1.0, 7.0]]))[0, 1] == 2


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (Record(np.zeros((2, 1)), ("a",)), "it has the channels a, and those of the training data"),
        (Record(np.zeros((2, 3)), ("a", "b", "c")), "it has the channels a, b, c"),
        (Record(np.zeros((2, 2)), ("a", "b"), 50.0), "it is at 50 steps a second"),
        (Record(np.array([[1, np.nan], [2, np.nan]]), ("a", "b")), "channel 'b' is missing"),
        (np.zeros((2, 3)), "has 3 channels, and those of the training data are 2: a, b"),
    ],
)
def test_series_unlike_those_in_training_are_refused(raw: Any, message: str) -> None:
    codec = SeriesCodec(
        channels=("a", "b"), rate=100.0, center=(0, 0), scale=(1, 1), usual=2, longest=2
    )
    with pytest.raises(DataError, match=message):
        codec.encode(raw)


def test_channels_are_taken_by_name() -> None:
    codec = SeriesCodec(channels=("a", "b"), center=(0, 0), scale=(1, 1), usual=1, longest=1)
    turned = Record(np.array([[2.0, 1.0]]), ("b", "a"))
    assert codec.encode(turned).tolist() == [[1, 2]]


def test_check_finds_what_is_wrong_with_channels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((300, 4))
    noise[:, 1] = 2 * noise[:, 0] + 1
    noise[:, 2] = 5
    noise[::4, 3] = np.nan
    drifting = np.concatenate([noise, np.linspace(0, 50, 300)[:, None]], axis=1)
    items = opened([drifting, drifting.copy()])
    found = " ".join(survey(items, DataConfig()).findings)
    for told in (
        "never change: x2;",
        "x3 (25%)",
        "x4 (100% of the series)",
        "x0 = x1;",
        "1 series come twice",
    ):
        assert told in found


of_wfdb = pytest.mark.filterwarnings("ignore::DeprecationWarning")
"""It asks pandas for what is out of date there."""


def heart(folder: Path, x: np.ndarray, *names: str) -> Path:
    """A record that the package wfdb wrote."""
    wfdb = package()
    wfdb.wrsamp(
        "heart",
        fs=360,
        units=["mV"] * len(names),
        sig_name=list(names),
        p_signal=x,
        fmt=["16"] * len(names),
        write_dir=str(folder),
    )
    return folder / "heart.hea"


@of_wfdb
def test_records_of_wfdb_are_read_in_physical_units(tmp_path: Path, seed: int) -> None:
    x = np.random.default_rng(seed).normal(0, 2, (200, 2))
    x[7, 1] = np.nan
    path = heart(tmp_path, x, "II", "V5")
    record = only(path)
    np.testing.assert_allclose(record.values, x, atol=2e-4)  # of 16 bits
    assert (record.channels, record.rate) == (("II", "V5"), 360)
    np.testing.assert_array_equal(only(path, columns=("V5",)).values, record.values[:, 1:])
    with pytest.raises(DataError, match=r"unknown channel 'V6': There are: II, V5"):
        only(path, columns=("V6",))


@of_wfdb
def test_signals_of_one_name_are_numbered(tmp_path: Path, seed: int) -> None:
    x = np.random.default_rng(seed).normal(size=(50, 2))
    path = heart(tmp_path, x, "ECG", "V5")
    path.write_text(path.read_text().replace("V5", "ECG"))
    assert only(path).channels == ("ECG", "ECG 2")


@of_wfdb
def test_records_of_wfdb_that_are_damaged_are_refused(tmp_path: Path, seed: int) -> None:
    path = heart(tmp_path, np.random.default_rng(seed).normal(size=(50, 1)), "II")
    (tmp_path / "heart.dat").unlink()
    with pytest.raises(DataError, match=r"heart\.hea' as a WFDB record"):
        only(path)
    written(path, "rubbish")
    with pytest.raises(DataError, match=r"heart\.hea' as a WFDB record"):
        only(path)


def test_records_of_wfdb_need_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wfdb", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'ensue\[wfdb\]'"):
        only(written(tmp_path / "heart.hea", "heart 2 360 4\n"))
