"""Golden mistakes: what a user is told, and the exit status."""

from tests.golden.commands import Case, train

ROWS, TEXTS = "data/trees.csv", "data/texts"
WRONG = "--num-layers 0 --dropout 2 --max-steps -1 --tokens letters"

CASES = (
    Case(
        name="mistakes",
        mistaken=True,
        commands=(
            train(f"realnvp {ROWS} --depth 2 --hidden-sizes 8"),
            train(f"realnvp {ROWS} --depth 2 --hidden-sizes 8"),
            train(f"realnvp {ROWS}", "--resume --depth 3"),
            train("realnvp data/other.csv").replace("{run}", "{run}/none"),
            train(f"cpc {ROWS}").replace("{run}", "{run}/none"),
            train("realnvp data/sounds").replace("{run}", "{run}/none"),
            train("cpx data/sounds").replace("{run}", "{run}/none"),
            train(f"charrnn {TEXTS} --hiden-size 8").replace("{run}", "{run}/none"),
            f"train charrnn {TEXTS} --out {{run}}/none {WRONG}",
            f"train charrnn {TEXTS} --out {{run}}/none --levels 8 --quiet",
            f"train charrnn {TEXTS} --out {{run}}/none --condition shade --quiet",
            "train cpc data/sounds --out {run}/none --window-seconds 0.1 --horizon 40 --quiet",
            "train cpc data/sounds --out {run}/none --recipe molecules --quiet",
            "complete {run} data/trees.csv --out {out}/a.csv",
            "compress {run} data/trees.csv --out {out}/a.ensue",
            "score {run} data/texts --out {out}/a.csv",
            "score {run} data/trees.csv --out {out}/a.txt",
            "score {run} data/trees.csv --out {out}/a.csv --given-class",
            "embed {run}/none data/trees.csv --out {out}/a.csv",
            "embed {run} data/trees.csv --out {out}/a.parquet --layer local",
            "probe {run} data/trees.csv --label treee --quiet",
            "sample {run} --temperature -1",
            "sample {run} --num 2 --top-k 3",
            "sample {run} --num 0",
            "check data/none.csv",
            "check data/sounds --tokens bytes",
            "list family",
            "ask {run} data/questions.csv",
        ),
    ),
)
