"""Golden runs of questions about pictures."""

from tests.golden.commands import ask, case, score

SMALL = (
    "--embedding-size 4 --hidden-size 8 --attention-size 4 --query-size 8 --joint-size 8 "
    "--glimpse-size 8 --answer-size 4 --region-size 8 --region-components 4 --patch-size 8"
)
ASKED, BY_ROW = "data/questions.csv", "data/by_row.csv"

CASES = (
    case(
        "seq2seq of pictures",
        f"seq2seq {ASKED} {SMALL} --score-size 6",
        score(ASKED, more="--by-answer"),
        f"ask {{run}} {ASKED} --num 2 --seed 3 --max-length 8 --out {{out}}/asked.csv",
        f"ask {{run}} {ASKED} --method beam --num 2 --max-length 8 --out {{out}}/beam.csv",
        ask(more="--path data/pictures/1.png --answer green --max-length 8"),
        f"evaluate {{run}} {ASKED} --num-items 4 --quiet",
        f"check {ASKED} --quiet",
        loads="question",
    ),
    case(
        "seq2seq of phrases with additive attention",
        f"seq2seq {ASKED} {SMALL} --answers phrase --attention additive --input-feeding "
        "--cell lstm --num-layers 2 --dropout 0.1 --label-smoothing 0.1",
        score(ASKED),
    ),
    case(
        "seq2seq of rows of an array",
        f"seq2seq {BY_ROW} {SMALL} --regions data/pictures.npz --attention dot "
        "--teacher-forcing 0.5 --forcing-schedule linear --forcing-steps 3 --forcing-coin step",
        score(BY_ROW),
        ask(more="--row 2 --answer blue --max-length 8"),
    ),
)
