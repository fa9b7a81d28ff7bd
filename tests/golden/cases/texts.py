"""Golden runs of texts and molecules."""

from tests.golden.commands import case, complete, embed, packed, sample, score

CAUSAL = "--channels 8 --skip-channels 8 --num-layers 2 --window-tokens 20"
ATTENTION = "--channels 8 --num-layers 2 --window-tokens 20"
LETTERS = "--hidden-size 8 --embedding-size 4 --window-tokens 12"
VAE = "--encoder-size 6 --decoder-size 7 --embedding-size 4 --latent-size 3 --window-tokens 90"
FEW = "--max-length 20"
TEXTS, LINES, MOLECULES = "data/texts", "data/lines.txt", "data/molecules.smi"

CASES = (
    case(
        "causal texts",
        f"causal {TEXTS} {CAUSAL} --dilations 1,2",
        embed(TEXTS),
        score(TEXTS),
        sample(more=f"{FEW} --top-p 0.9"),
        complete(TEXTS, more=FEW),
        *packed(TEXTS),
        loads="text",
        restores=TEXTS,
    ),
    case(
        "causal texts by attention",
        f"causal {LINES} --text-items line {ATTENTION} --backbone transformer --num-heads 2 "
        "--attention-window 9 --dropout 0.1",
        embed(LINES),
        score(LINES),
        sample(more=f"{FEW} --method gumbel"),
        complete(LINES, more=f"{FEW} --method beam --num-beams 3"),
    ),
    case(
        "causal molecules",
        f"causal {MOLECULES} {CAUSAL}",
        embed(MOLECULES),
        score(MOLECULES),
        sample(more=FEW),
        complete(MOLECULES, more=FEW),
        *packed(MOLECULES),
    ),
    case(
        "charrnn characters",
        f"charrnn {TEXTS} {LETTERS} --tokens characters",
        embed(TEXTS),
        score(TEXTS),
        sample(more=f"{FEW} --temperature 0.7 --no-repeat-ngram 3"),
        sample("greedy.parquet", f"{FEW} --method greedy --min-length 5"),
        complete(TEXTS, more=f"{FEW} --method beam --num-beams 3 --length-penalty 0.5"),
        f"complete {{run}} --prompt what --out {{out}}/one.csv {FEW} --min-p 0.01",
        *packed(TEXTS),
        f"check {TEXTS} --tokens characters --quiet",
        f"evaluate {{run}} {TEXTS} --quiet",
        loads="text",
        restores=TEXTS,
        quick=True,
    ),
    case(
        "charrnn lines in bytes with noise",
        f"charrnn {LINES} {LETTERS} --text-items line --cell lstm --num-layers 2 --layer-norm "
        "--dropout 0.1 --recurrent-dropout 0.1",
        embed(LINES),
        score(LINES),
        *packed(LINES),
    ),
    case(
        "charrnn sentences in words",
        f"charrnn {TEXTS} {LETTERS} --text-items sentence --tokens words --zoneout 0.1 "
        "--weight-decay 0.1 --keep best",
        score(TEXTS),
        sample(more=FEW),
    ),
    case(
        "charrnn one long text",
        f"charrnn {LINES} {LETTERS}",
        score(LINES, "scores.npz"),
    ),
    case(
        "charrnn molecules",
        f"charrnn {MOLECULES} {LETTERS} --tokens smiles",
        embed(MOLECULES),
        score(MOLECULES),
        sample(more=FEW),
        complete(MOLECULES, more=FEW),
        *packed(MOLECULES),
    ),
    case(
        "vae texts",
        f"vae {TEXTS} {VAE} --tokens characters --cell lstm --pooling last --encoder-layers 2 "
        "--decoder-layers 2 --kl-schedule cyclical --kl-steps 3 --free-bits 2 --word-dropout 0.3",
        embed(TEXTS),
        score(TEXTS),
        sample(more=FEW),
        loads="latent text",
    ),
    case(
        "vae molecules",
        f"vae {MOLECULES} {VAE} --free-bits 3 --free-bits-of batch --kl-schedule linear --beta 0.5",
        embed(MOLECULES),
        score(MOLECULES),
        sample(more=FEW),
        f"check {MOLECULES} --quiet",
        f"evaluate {{run}} {MOLECULES} --num 5 --num-draws 4 --num-items 8 --quiet",
        loads="latent smiles",
    ),
)
