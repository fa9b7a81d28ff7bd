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
        "cpc of series, robust, both ways",
        f"cpc data/logs {CPC} --scaling robust --directions forward,backward --kernels 5,4 "
        "--strides 1,2 --pooling extremes --window-steps 40",
        embed("data/logs"),
        score("data/logs"),
    ),
)
