"""Golden runs of series."""

from tests.golden.commands import case, embed, score

CPC = "--channels 8 --context-size 6 --num-negatives 4"

CASES = (
    case(
        "cpc of series",
        f"cpc data/logs {CPC}",
        embed("data/logs"),
        embed("data/logs", "frames.parquet", "--level frame"),
        score("data/logs"),
        "probe {run} data/logs --label label --quiet",
        "check data/logs --quiet",
    ),
    case(
        "causal series",
        "causal data/logs --channels 8 --num-layers 2 --num-lags 4",
        embed("data/logs"),
        score("data/logs"),
        "sample {run} --num 2 --out {out}/samples.csv",
        "complete {run} data/logs --known 0.9 --out {out}/completions.csv",
        "forecast {run} data/logs --steps 3 --given 50 --num 4 --out {out}/forecasts.csv --quiet",
    ),
    case(
        "maf of windows of series",
        "maf data/logs --columns wave --window 12 --window-stride 5 --max-skipped 1",
        embed("data/logs", "vectors.parquet", "--max-skipped 1"),
        score("data/logs", more="--max-skipped 1"),
        "sample {run} --num 2 --out {out}/samples.csv",
    ),
    case(
        "realnvp of windows of series",
        "realnvp data/logs --columns wave --window 8 --max-skipped 1",
        score("data/logs", more="--max-skipped 1"),
    ),
    case(
        "cpc of series, robust, both ways",
        f"cpc data/logs {CPC} --scaling robust --directions forward,backward --kernels 5,4 "
        "--strides 1,2 --pooling extremes --window-steps 40",
        embed("data/logs"),
        score("data/logs"),
    ),
)
