"""``stream``: what ``score --level step`` tells of a file, told line by line as it comes."""

import io
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

import ensue
from ensue.cli import main
from tests.verbs.test_step_scores import LIKELY, SMALL, TIMES, write


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("live")
    for i in range(4):
        write(folder / "usual" / f"{i}.csv", i, broken=False)
    write(folder / "new" / "0.csv", 10, broken=True)
    assert main(f"train cpc {folder}/usual --out {folder}/run {TIMES} {SMALL}".split()) == 0
    train = f"train causal {folder}/usual --out {folder}/likely {TIMES} {LIKELY}"
    assert main(train.split()) == 0
    return folder


def told(logs: Path, lines: list[str], run: str = "run", **options: object) -> str:
    answer = io.StringIO()
    ensue.stream(logs / run, lines=lines, to=answer, quiet=True, **options)
    return answer.getvalue()


def lines_of(logs: Path) -> list[str]:
    return (logs / "new" / "0.csv").read_text().splitlines(keepends=True)


def table_of(table: pa.Table) -> dict[str, np.ndarray]:
    return {
        name: np.array([np.nan if cell is None else cell for cell in cells])
        for name, cells in table.to_pydict().items()
    }


def test_standard_input_is_measured_as_the_file(logs: Path) -> None:
    out, limits = logs / "steps.parquet", f"--threshold-from {logs}/usual --rate 0.01 --quiet"
    score = f"score {logs}/run {logs}/new --level step --out {out} {limits}"
    assert main(score.split()) == 0
    file = table_of(pq.read_table(out))
    has_line = file["row"] >= 0
    done = subprocess.run(
        [sys.executable, "-m", "ensue", "stream", f"{logs}/run", *limits.split()],
        input="".join(lines_of(logs)).encode(),
        capture_output=True,
        check=True,
    )
    live = table_of(pyarrow.csv.read_csv(io.BytesIO(done.stdout)))
    assert len(live["step"]) == has_line.sum() == 399
    assert b"400 steps" in done.stderr
    assert b"alarm above surprise" in done.stderr
    np.testing.assert_array_equal(live["step"], file["step"][has_line])
    for name in ("surprise", "nearest_local", "mahalanobis_context"):
        np.testing.assert_allclose(live[name], file[name][has_line], rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(live[f"alarm.{name}"], file[f"alarm.{name}"][has_line])


def test_likelihoods_and_records_are_those_of_the_file(logs: Path) -> None:
    out = logs / "likely.parquet"
    score = f"score {logs}/likely {logs}/new --level step --out {out} --records --quiet"
    assert main(score.split()) == 0
    file = table_of(pq.read_table(out))
    has_line = file["row"] >= 0
    live = table_of(
        pyarrow.csv.read_csv(
            io.BytesIO(told(logs, lines_of(logs), run="likely", records=True).encode())
        )
    )
    for name in ("surprise", "deviation", "record"):
        np.testing.assert_allclose(live[name], file[name][has_line], rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(live["alarm.record"], file["alarm.record"][has_line])


def test_each_line_is_answered_before_the_next_is_read(logs: Path) -> None:
    answer = io.StringIO()

    def lines() -> Iterator[str]:
        for number, line in enumerate(lines_of(logs)[:20]):
            assert answer.getvalue().count("\n") == (number if number > 1 else 0)
            yield line

    ensue.stream(logs / "run", lines=lines(), to=answer, quiet=True)


def test_json_is_answered_by_json(logs: Path) -> None:
    header, *rows = [line.strip().split(",") for line in lines_of(logs)[:60]]
    objects = [json.dumps(dict(zip(header, map(float, row), strict=True))) for row in rows]
    by_json = [json.loads(line) for line in told(logs, objects).splitlines()]
    by_csv = pyarrow.csv.read_csv(io.BytesIO(told(logs, lines_of(logs)[:60]).encode()))
    assert by_json[0]["surprise"] is None
    assert [row["nearest_local"] for row in by_json[30:]] == by_csv["nearest_local"].to_pylist()[
        30:
    ]


def test_a_value_may_be_missing_and_channels_in_any_order(logs: Path) -> None:
    rows = [line.strip().split(",") for line in lines_of(logs)[:60]]
    turned = [",".join([row[2], "x", row[1], row[0]]) for row in rows]
    assert told(logs, turned) == told(logs, lines_of(logs)[:60])
    turned[40] = ",".join(["", "x", *turned[40].split(",")[2:]])
    assert told(logs, turned) != told(logs, lines_of(logs)[:60])


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["first,third\n", "1,2\n"], "line 1: unknown channel 'second'"),
        (["first,second\n", "1,2\n", "1,x\n"], "line 3: channel 'second' is 'x', which is no"),
        (["first,second\n", "1\n"], "line 2 has 1 cells, and the header 2"),
        (['{"first": 1, "second": 2}\n', "{first}\n"], "line 2 is no JSON"),
        (['{"first": 1, "second": 2}\n', "[1]\n"], "line 2 is no object"),
        (["time,first,second\n", "1,1,1\n", "1,1,1\n"], "line 3 is at '1', 0 steps after the line"),
        (["time,first,second\n", "1,1,1\n", "1.15,1,1\n"], "line 3 is at '1.15', 1.5 steps after"),
        (["time,first,second\n", "1,1,1\n", "9e9,1,1\n"], "begin a new stream there"),
        (["time,first,second\n", "1,1,1\n", "soon,1,1\n"], "holds 'soon'"),
        (["time,first,second\n", "1,1e999,1\n"], "which is no number"),
        (["time,first,second\n", "nan,1,1\n", "2,1,1\n"], "holds 'nan' in row 2"),
        (["first,second,second\n", "1,1,1\n"], "line 1 names a column twice"),
        (['{"first": 1, "second": [2]}\n'], "column 'second' holds lists"),
    ],
)  # fmt: skip
def test_lines_that_do_not_fit_are_refused(logs: Path, lines: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        told(logs, lines)


def test_items_with_scales_of_their_own_have_no_stream(logs: Path) -> None:
    out = logs / "by_item"
    command = f"train cpc {logs}/usual --out {out} {TIMES} {SMALL} --scaling item --max-steps 1"
    assert main(command.replace("--max-steps 60 ", "").split()) == 0
    with pytest.raises(ValueError, match="scaling is 'item', which needs the whole series"):
        ensue.stream(out, lines=[], to=io.StringIO(), quiet=True)


def test_who_reads_may_stop(logs: Path) -> None:
    command = f"{sys.executable} -m ensue stream {logs}/run --quiet"
    done = subprocess.run(
        ["bash", "-c", f"cat {logs}/new/0.csv | {command} | head -3"],
        capture_output=True,
        check=True,
    )
    assert done.stdout.count(b"\n") == 3
    assert b"error" not in done.stderr.lower()
