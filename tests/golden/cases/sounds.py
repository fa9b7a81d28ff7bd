"""Golden runs of sound."""

from tests.golden.commands import Case, case, complete, embed, sample, score, train

CPC = (
    "--sample-rate 8000 --window-seconds 0.25 --channels 8 --context-size 6 --horizon 2 "
    "--num-mels 10 --num-negatives 4"
)
CLICKS = "--sample-rate 8000 --window-seconds 0.005"
CAUSAL = "--channels 8 --skip-channels 8 --num-layers 2"
PROBE = "probe {run} data/sounds.csv --label word --quiet"

CASES = (
    case(
        "cpc log_mel",
        f"cpc data/sounds {CPC}",
        embed("data/sounds"),
        embed("data/sounds", "frames.parquet", "--level frame"),
        embed("data/sounds", "local.npz", "--layer local"),
        score("data/sounds"),
        "probe {run} data/sounds --label phone --intervals phone=data/phones.csv --quiet",
        "report {run} --quiet",
        "evaluate {run} data/sounds --quiet",
        "report {run} data/sounds --seed 2 --quiet",
        "check data/sounds --sample-rate 8000 --quiet",
        loads="audio",
    ),
    case(
        "cpc waveform",
        f"cpc data/sounds {CPC} --encoder waveform --init kaiming_fan_out --pooling mean",
        embed("data/sounds"),
        score("data/sounds"),
        loads="audio",
    ),
    case(
        "cpc from a manifest with splits",
        f"cpc data/sounds.csv {CPC} --group speaker --precision float32 --clip-norm 1",
        embed("data/sounds.csv"),
        f"{PROBE} --knn 3",
        f"{PROBE} --num-labels 2,4 --draws 3 --group speaker",
        f"{PROBE} --leave-one-group-out --group speaker --baselines=false",
        f"{PROBE} --verify",
        f"{PROBE} --finetune --finetune-steps 3",
        "check data/sounds.csv --sample-rate 8000 --quiet --out {out}/unusable.csv",
    ),
    case(
        "cpc of perturbed voices",
        f"cpc data/sounds {CPC} --vocal-tract-perturbation 0.1 --speed-perturbation 0.1 "
        "--cmn-frames 6 --pooling extremes --num-anchors 4 --own-sequence false --nearest 2",
        embed("data/sounds"),
        score("data/sounds"),
        quick=True,
    ),
    case(
        "cpc aligned",
        f"cpc data/sounds {CPC} --candidates aligned --num-context-layers 2 --recurrent torch "
        "--norm batch --pooling dynamics --short skip --accumulate 2 --schedule constant",
        embed("data/sounds"),
        score("data/sounds"),
    ),
    case(
        "cpc by a recipe",
        f"cpc data/sounds --recipe fsdd {CPC} --num-anchors 4 --nearest 1",
        embed("data/sounds"),
    ),
    Case(
        name="cpc resumed",
        commands=(
            train(f"cpc data/sounds {CPC}", "--max-steps 2").replace("--max-steps 4 ", ""),
            train(f"cpc data/sounds {CPC}", "--resume"),
            embed("data/sounds"),
        ),
    ),
    Case(
        name="cpc from the weights of another",
        commands=(
            train(f"cpc data/sounds {CPC}").replace("{run}", "{run}/first"),
            train("cpc data/sounds.csv --sample-rate 8000 --window-seconds 0.3 --seed 1").replace(
                "{run}", "{run}/second --init-from {run}/first"
            ),
        ),
    ),
    case(
        "causal sound",
        f"causal data/clicks {CLICKS} {CAUSAL}",
        embed("data/clicks"),
        score("data/clicks"),
        sample("samples", "--max-length 30"),
        complete("data/clicks", "completed", "--known 0.4 --max-length 30 --top-k 9"),
    ),
)
