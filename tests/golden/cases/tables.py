"""Golden runs of rows of a table."""

from tests.golden.commands import case, embed, sample, score

SMALL = "--depth 2 --hidden-sizes 8"
ROWS = "data/trees.csv"
ALL = "--columns height,share,tail,rings,color"

CASES = (
    case(
        "realnvp numbers",
        f"realnvp {ROWS} {SMALL}",
        embed(ROWS),
        score(ROWS),
        sample(),
        f"probe {{run}} {ROWS} --label tree --quiet",
        "report {run} --quiet",
        f"evaluate {{run}} {ROWS} --quiet",
        f"check {ROWS} --quiet",
        loads="table",
    ),
    case(
        "realnvp numbers and categories by splines",
        f"realnvp {ROWS} --hidden-sizes 8 {ALL} --bounds share=0:1 --log tail --transform spline "
        "--num-bins 4 --depth 3 --mixing --activation silu --noise 0.1",
        embed(ROWS, "embedding.npz"),
        score(ROWS, "scores.parquet", "--by-column"),
        sample("samples.parquet"),
        loads="table",
    ),
    case(
        "realnvp ranks of a class",
        f"realnvp {ROWS} {SMALL} {ALL} --rank tail,share --mask half --condition tree "
        "--continuous rings --start gaussian --transform affine",
        score(ROWS, more="--given-class"),
        sample(more="--condition oak --temperature 0.8"),
        quick=True,
    ),
    case(
        "realnvp without learned marginals",
        f"realnvp {ROWS} {SMALL} --marginal-bins 0 --dropout 0.1",
        score(ROWS),
    ),
    case("realnvp sizes that are chosen", f"realnvp {ROWS}", score(ROWS)),
    case(
        "maf numbers",
        f"maf {ROWS} {SMALL}",
        embed(ROWS),
        score(ROWS),
        sample("samples.npz"),
        loads="table",
    ),
    case(
        "maf of a class by splines",
        f"maf {ROWS} {SMALL} {ALL} --bounds share=0: --rank tail --transform spline "
        "--condition tree --start identity",
        score(ROWS, more="--given-class --by-column"),
        sample(more="--condition fir"),
    ),
)
