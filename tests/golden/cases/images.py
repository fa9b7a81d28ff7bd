"""Golden runs of images."""

from tests.golden.commands import case, complete, embed, packed, sample, score

CAUSAL = "--channels 8 --skip-channels 8 --num-layers 2"
PATCHES = (
    "--patch 2 --stride 1 --patch-width 4 --channels 8 --context-size 6 --horizon 2 "
    "--num-negatives 4 --directions down,left"
)
MASKED = "--channels 6 --embedding-size 3 --num-layers 1"
DENSE = "--levels 16 --hidden-size 24 --num-layers 1"
TABLE = "--depth 2 --hidden-sizes 8"
CHANNELS = "--depth 2 --channels 6 --num-blocks 1"

CASES = (
    case(
        "causal images",
        f"causal data/colored {CAUSAL}",
        embed("data/colored"),
        score("data/colored"),
        sample("samples.npz"),
        complete("data/colored", "completed.png", "--known 0.5"),
        *packed("data/colored"),
        loads="colored image",
        restores="data/colored",
    ),
    case(
        "causal images of a class",
        f"causal data/gray.csv {CAUSAL} --levels 4 --condition shade",
        score("data/gray.csv", more="--given-class"),
        sample("samples.npz", "--condition dark"),
        complete("data/gray.csv", "completed.npz", "--condition light"),
    ),
    case(
        "pixelcnn",
        f"pixelcnn data/colored {CAUSAL} --head categorical",
        embed("data/colored"),
        score("data/colored"),
        sample("samples.png"),
        complete("data/colored", "completed.npz"),
        *packed("data/colored"),
        "check data/colored --quiet",
        loads="colored image",
        restores="data/colored",
    ),
    case(
        "pixelcnn of a class by logistics",
        f"pixelcnn data/gray.csv {CAUSAL} --head logistic --num-mixtures 3 --condition shade",
        embed("data/gray.csv"),
        score("data/gray.csv", more="--given-class"),
        sample("samples.npz", "--condition light"),
        "probe {run} data/gray.csv --label shade --quiet",
        "report {run} --quiet",
        "evaluate {run} data/gray.csv --quiet",
    ),
    case(
        "cpc images",
        f"cpc data/colored {PATCHES}",
        embed("data/colored"),
        score("data/colored"),
        "probe {run} data/gray.csv --label shade --pooling cells --quiet",
        loads="colored image",
    ),
    case(
        "masked images",
        f"masked data/gray {MASKED}",
        score("data/gray"),
        sample("samples.npz"),
        complete("data/gray", "completed.npz", "--known 0.5"),
        *packed("data/gray"),
        loads="gray image",
        restores="data/gray",
        quick=True,
    ),
    case(
        "masked images in rows by a perceptron",
        f"masked data/gray {DENSE} --embedding-size 3 --order raster --network mlp",
        score("data/gray"),
        sample("samples.npz"),
    ),
    case(
        "masked images by masks of weights",
        f"masked data/gray {DENSE} --network made --num-orders 2",
        score("data/gray"),
        sample("samples.npz"),
    ),
    case(
        "realnvp images",
        f"realnvp data/colored {CHANNELS} --transform affine",
        embed("data/colored", "embedding.npz"),
        score("data/colored"),
        sample("samples.npz"),
        loads="colored image",
    ),
    case(
        "realnvp images with learned noise",
        f"realnvp data/gray.csv {CHANNELS} --dequantization variational --mixing "
        "--transform spline --num-bins 4 --condition shade",
        score("data/gray.csv", more="--given-class"),
        sample("samples.npz", "--condition dark"),
    ),
    case(
        "maf images",
        f"maf data/gray {TABLE} --levels 16",
        embed("data/gray"),
        score("data/gray"),
        sample("samples.npz"),
    ),
)
