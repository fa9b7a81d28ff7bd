"""The tables of what was measured, written from benchmarks/results: ``python -m benchmarks.table``.

All figures stand in benchmarks/results/README.md, the first of each section in the README.
"""

import json
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.measure import RESULTS
from benchmarks.table_images import cpc_image_choices, cpc_image_rows, cpc_image_table
from benchmarks.table_information import information_rows, information_table
from benchmarks.table_series import BESIDE as BESIDE_SERIES
from benchmarks.table_series import series_rows, series_table, skab_table

README = Path(__file__).parent.parent / "README.md"
ALL = RESULTS / "README.md"
BEGIN, END = "<!-- results -->\n", "<!-- end of results -->"
OURS, MFCC = "cpc (this run)", "MFCC with deltas"


def read(name: str) -> dict[str, Any]:
    return json.loads((RESULTS / f"{name}.json").read_text())


def speech_rows() -> list[tuple[str, ...]]:
    """Accuracies of the demo's features, mean and range over the seeds."""
    found = read("speech")
    rows = []
    for label, what in (
        ("phone", "phones of unheard voices, by frame"),
        ("speaker", "speakers among unheard voices, by frame"),
    ):
        runs = [run["probes"][label] for run in found["runs"]]
        untrained = max((n for n in runs[0] if n.startswith("untrained")), key=lambda n: runs[0][n])
        ours = [run[OURS][0] for run in runs]
        others = [
            f"{name} {statistics.mean(run[key][0] for run in runs):.1%}"
            for name, key in (
                ("MFCC", MFCC),
                ("untrained", untrained),
                ("chance", "chance (most frequent class)"),
            )
        ]
        measured = f"{statistics.mean(ours):.1%} ({min(ours):.1%} to {max(ours):.1%})"
        rows.append((f"demo: {what}", measured, ", ".join(others), "`make results ROW=speech`"))
    seconds, memory = ([run[k] for run in found["runs"]] for k in ("seconds", "peak_megabytes"))
    cost = f"{max(seconds):.0f} s, {max(memory) / 1024:.1f} GB"
    rows.append(("demo: time and peak memory, the most of all seeds", cost, "", "`make demo`"))
    return rows


def fsdd_rows() -> list[tuple[str, ...]]:
    """Recorded digits: few labels, unheard speakers' labels, all labels, and raw waveforms."""
    found, command = read("fsdd"), "`make results ROW='fsdd FOLDER'`"
    asked = (
        ("100 labels", "recorded digits (FSDD), 100 labels"),
        (
            "speaker left out",
            "the same, all labels but the tested speaker's, whom pretraining heard unlabelled",
        ),
        ("digit", "recorded digits, 2,700 labels"),
    )
    waveform = _labelled(
        read("fsdd_waveform"),
        "100 labels",
        "recorded digits, 100 labels, raw waveforms",
        "waveform",
        "`make results ROW='fsdd_waveform FOLDER'`",
    )
    return [*(_labelled(found, name, what, "log_mel", command) for name, what in asked), waveform]


def librispeech_rows() -> list[tuple[str, ...]]:
    """Ten speakers that pretraining never heard."""
    found, command = read("librispeech"), "`make results ROW='librispeech FOLDER'`"
    asked = (
        ("speaker", "ten unheard speakers of LibriSpeech, by frame"),
        ("verification", "the same speaker or another: equal error rate (lower is better)"),
    )
    return [_labelled(found, name, what, "log_mel", command) for name, what in asked]


def _labelled(
    found: dict[str, Any], name: str, what: str, encoder: str, command: str
) -> tuple[str, ...]:
    """A question's figure, mean and range over the seeds, beside the means of the baselines."""
    runs = [run["probes"][name] for run in found["runs"]]

    def mean(features: str) -> str:
        return f"{statistics.mean(run[features][0] for run in runs):.1%}"

    ours = [run[OURS][0] for run in runs]
    spread = f"{min(ours):.1%} to {max(ours):.1%}" if len(runs) > 1 else "one seed"
    measured = f"{mean(OURS)} ({spread})"
    chance = next(n for n in runs[0] if n.startswith("chance"))
    beside = f"untrained {mean(f'untrained, {encoder}')}, MFCC {mean(MFCC)}, chance {mean(chance)}"
    return what, measured, beside, command


def info_nce_rows() -> list[tuple[str, ...]]:
    """Time and memory against gathering, the better of the two references."""
    against = read("info_nce")["against"].values()
    times = min(r["time"]["ratio_median"] for r in against)
    memory = min(r["memory_ratio"] for r in against)
    what = "InfoNCE forward and backward, B 8, T 128, C 256, K 12, 128 negatives"
    measured = f"{times:.0f} times faster, {memory:.0f} times less memory"
    return [(what, measured, "than gathering (B, N, T, C); equal losses", "`make bench`")]


def paper_image_rows() -> list[tuple[str, ...]]:
    """CPC of images at the sizes of the paper: a step on the CPU, and the rate on a GPU."""
    found, command = read("paper_images"), "`make results ROW=paper_images`"
    kept, again = (
        f"{of['cpu_seconds']:.1f} s of CPU; tensors of loss and gradients "
        f"{of['peak_tensor_megabytes_of_gradients']} MB at most, with Adam's moments "
        f"{of['peak_tensor_megabytes']} MB"
        for of in (found["cpu"][how] for how in ("kept", "computed again"))
    )
    millions = sum(found["parameters"].values()) / 1e6
    rows = [
        (
            "CPC of images at the paper's sizes (7 x 7 patches of 64, ResNet-101, "
            f"{millions:.1f} million parameters), {found['batch']} images, one thread: a step",
            kept,
            f"with `--checkpoint` {again}",
            command,
        )
    ]
    if isinstance(found["gpu"], dict):
        best = max(
            (row for row in found["gpu"]["kept"].values() if isinstance(row, dict)),
            key=lambda row: row["images_a_second"],
        )
        share = f", {best['share_of_peak']:.0%} of its peak" if "share_of_peak" in best else ""
        rows.append(
            (
                f"the same on {found['gpu']['device']} in bf16",
                f"{best['images_a_second']:.0f} images a second{share}",
                f"{best['peak_megabytes'] / 1024:.1f} GB",
                command,
            )
        )
    return rows


def store_rows() -> list[tuple[str, ...]]:
    """What the store gives beside what training takes, and the cost of a long recording."""
    found = read("store")
    windows, long = found["windows"], found["three_hours"]
    worst = max(long["largest_differences"][k] for k in ("of_frames", "of_embedding"))
    memory = max(long[k]["peak_megabytes"] for k in ("item", "frame")) / 1024
    given, taken = windows["windows_a_second"], windows["windows_a_second_of_training"]
    command = "`make results ROW=store`"
    return [
        (
            f"windows of {windows['window_seconds']} s that one process draws from the store",
            f"{given:,} a second, {windows['times']['median']:.0f} times what training takes",
            f"the default CPC learns from {taken:.0f} a second, one thread",
            command,
        ),
        (
            f"`embed` of one recording: {long['source']}",
            f"{long['item']['cpu_seconds']:.0f} s by item, {long['frame']['cpu_seconds']:.0f} s by "
            f"frame (CPU time), {memory:.1f} GB at most",
            f"as in chunks of 1 s to {worst:.0e}",
            command,
        ),
    ]


def recurrent_rows() -> list[tuple[str, ...]]:
    """Our recurrent layers beside torch's and beside the equations as a loop."""
    found = read("recurrent")
    shape = ", ".join(f"{name} {found[name]}" for name in ("T", "B", "H"))
    rows = []
    for kind, of in found["kinds"].items():
        dense, loop = (of["dense"][k]["ratio_median"] for k in ("torch.nn", "gate by gate"))
        packed = min(r["ratio_median"] for r in of["packed"].values())
        what = f"{kind.upper()} forward and backward, {shape}, one thread"
        measured = f"{1 / dense:.2f} times torch.nn's time; packed {packed:.1f} times faster"
        beside = f"a loop of one linear a gate takes {loop:.1f} times ours; equal outputs"
        rows.append((what, measured, beside, "`make results ROW=recurrent`"))
    return rows


def generation_rows() -> list[tuple[str, ...]]:
    """Sequences that make room when they end, and beams of many prompts together."""
    found, command = read("generation"), "`make results ROW=generation`"
    strings, beams = found["strings"], found["beams"]
    times = strings["times_faster"]
    return [
        (
            f"{strings['num']:,} strings of N(35, 5) tokens, {strings['layers']} x "
            f"{strings['hidden']} GRU, one thread",
            f"{times['ours']:.1f} times faster, {times['ours, bfloat16']:.1f} times in bfloat16",
            "than a torch.nn loop of all 100 steps; same lengths",
            command,
        ),
        (
            f"beam search, five beams, {beams['of']} prompts together",
            f"{beams['times_faster']:.1f} times faster",
            "than one by one; same results",
            command,
        ),
    ]


def text_rows() -> list[tuple[str, ...]]:
    """Models of a text beside compressors and n-grams, and of sound beside counting."""
    rows = []
    for name, family in (("text", "charrnn"), ("text_causal", "causal")):
        found = read(name)
        measured, seconds = _over_seeds(found["runs"], "bits_per_byte")
        what = f"tinyshakespeare, last 5 %, bits a byte, `{family}`"
        beside = ", ".join(f"{name} {value:.2f}" for name, value in found["baselines"].items())
        rows.append((what, measured, f"{beside}; {seconds}", f"`make results ROW='{name} FOLDER'`"))
    found = read("waves")
    measured, seconds = _over_seeds(found["runs"], "bits_per_sample")
    what = "recorded digits (FSDD) sample by sample, 256 levels, bits a sample, `causal`"
    beside = ", ".join(f"{name} {value:.2f}" for name, value in found["baselines"].items())
    rows.append((what, measured, f"{beside}; {seconds}", "`make results ROW='waves FOLDER'`"))
    return rows


def _over_seeds(runs: list[dict[str, Any]], key: str) -> tuple[str, str]:
    """The mean and the range of a figure, and the most CPU time that one of them took."""
    values = [run[key] for run in runs]
    range_of = f"({min(values):.3f} to {max(values):.3f})" if len(values) > 1 else "(one seed)"
    seconds = max(run["training_cpu_seconds"] for run in runs)
    return f"{statistics.mean(values):.3f} {range_of}", f"{seconds:.0f} s of one CPU thread"


def mnist_rows() -> list[tuple[str, ...]]:
    """MNIST: bits a dimension, bytes of the test images, nats of binary ones."""
    found = read("mnist")
    measured, seconds = _over_seeds(found["short"]["runs"], "bits_per_dim")
    packed, binary = found["compressed"], found["binary"]
    published = ", ".join(f"{name} {nats:.2f}" for name, nats in binary["published"].items())
    return [
        (
            "MNIST, 256 levels, 10,000 training images: test bits a dimension, `pixelcnn`",
            measured,
            seconds,
            "`make results ROW='mnist FOLDER short'`",
        ),
        (
            "MNIST's 10,000 test images compressed without loss, 60,000 training images",
            f"{packed['bytes']:,} bytes, {packed['smaller_than_xz']:.1%} less than xz -9",
            f"likelihood {packed['likelihood_bytes']:,}, xz -9 {packed['xz_bytes']:,}, raw "
            f"{packed['raw_bytes']:,}; {packed['training_cpu_seconds']:.0f} s of one CPU thread",
            "`make results ROW='mnist FOLDER compressed'`",
        ),
        (
            "binary MNIST (our own draw of it), test nats, `pixelcnn`",
            f"{binary['nats']:.2f} (one seed)",
            f"published: {published}; {binary['training_cpu_seconds']:.0f} s of one CPU thread",
            "`make results ROW='mnist FOLDER binary'`",
        ),
        *mnist_flow_rows(found),
    ]


def mnist_flow_rows(found: dict[str, Any]) -> list[tuple[str, ...]]:
    """MNIST by a flow, beside published ones."""
    flow, few = found["flow"], found["flow_short"]["runs"]
    published = ", ".join(f"{name} {bits:.2f}" for name, bits in flow["published"].items())
    measured, seconds = _over_seeds(few, "bits_per_dim")
    return [
        (
            "MNIST, 256 levels, 60,000 training images: test bits a dimension, `realnvp` with "
            "splines and learnt noise: a bound",
            f"{flow['bits_per_dim']:.3f} (one seed)",
            f"with one draw of the noise {flow['bits_per_dim_one_draw']:.3f}; published: "
            f"{published}; {flow['training_cpu_seconds']:.0f} s of one CPU thread",
            "`make results ROW='mnist FOLDER flow'`",
        ),
        (
            "the same of 10,000 training images",
            measured,
            seconds,
            "`make results ROW='mnist FOLDER flow_short'`",
        ),
    ]


def digits_rows() -> list[tuple[str, ...]]:
    """Small images: bits a dimension of causal and any-order models."""
    found = read("digits")
    kinds = {
        "digits": "`causal`: exact",
        "digits-masked": "`masked`: any order, in one of them",
        "digits-realnvp": "`realnvp` with splines: a bound",
        "digits-affine": "`realnvp`, scaled and shifted: a bound",
        "digits-maf": "`maf` with splines: a bound",
    }
    rows = []
    for recipe, runs in found["runs"].items():
        measured, seconds = _over_seeds(runs, "bits_per_dim")
        what = f"8 x 8 digits, 17 levels, bits a dimension, {kinds[recipe]}"
        beside = f"each pixel by itself {found['each pixel by itself']:.2f}; {seconds}"
        rows.append((what, measured, beside, "`make results ROW=digits`"))
    return rows


def drawing_rows() -> list[tuple[str, ...]]:
    """What a drawn value costs, beside computing everything again for each."""
    causal, rows = read("causal"), []
    what = f"drawing {causal['steps']} values of {causal['levels']} levels, one thread"
    many = causal["batch"]["64"]
    rows.append(
        (
            f"{what}: `causal`, 8 layers of 64 channels, 64 images at a time",
            f"{many['milliseconds_a_step']:.2f} ms a step",
            f"{many['times_faster_than_the_whole_pass']:.0f} times faster than whole passes, "
            f"{many['times_faster_than_the_prefix']:.0f} than passes over what is there",
            "`make results ROW=causal`",
        )
    )
    pixelcnn = read("pixelcnn")
    some = pixelcnn["batch"]["16"]
    rows.append(
        (
            f"{what}: `pixelcnn`, {pixelcnn['parameters'] / 1e6:.1f} million parameters, "
            "16 images at a time",
            f"{some['milliseconds_a_step']:.2f} ms a step",
            f"{some['times_faster_than_the_whole_pass']:.0f} times faster than whole passes",
            "`make results ROW=pixelcnn`",
        )
    )
    any_order = read("any_order")["runs"]
    slowest = min(any_order, key=lambda run: run["times_faster"])
    rows.append(
        (
            f"{what}: `masked`, MLP of 512 features",
            f"{slowest['milliseconds_a_step']:.2f} ms a step, {slowest['batch']} images at a time",
            f"{slowest['times_faster']:.0f} times faster than whole passes",
            "`make results ROW=any_order`",
        )
    )
    return rows


def anomaly_rows() -> list[tuple[str, ...]]:
    """A speaker that wasn't there, by density of embeddings, beside distances."""
    found = read("anomaly")
    areas = [of["auroc"]["flow"] for of in found["left out"].values()]
    beside = ", ".join(
        f"{name} {found['mean'][key]:.3f}"
        for key, name in (
            ("Mahalanobis", "Mahalanobis distance"),
            ("neighbor 1", "nearest neighbor"),
            ("neighbor 5", "fifth nearest"),
        )
    )
    return [
        (
            "recorded digits of a speaker who wasn't there, by the density of embeddings: area "
            "under the ROC curve, six speakers left out in turn",
            f"{found['mean']['flow']:.3f} ({min(areas):.3f} to {max(areas):.3f})",
            f"{beside}, on the same embeddings",
            "`make results ROW='anomaly FOLDER'`",
        )
    ]


def flow_rows() -> list[tuple[str, ...]]:
    """Densities of tables beside the truth and beside zuko; time beside four libraries."""
    found, rows = read("tables"), []
    for recipe, what in (("moons", "Real NVP"), ("moons-spline", "with splines")):
        gaps = [run["gap"] for run in found["moons"][recipe]]
        size = found["moons"][recipe][0]["parameters"]
        measured = f"{statistics.mean(gaps):.3f} nats ({min(gaps):.3f} to {max(gaps):.3f})"
        what = f"two moons, {what}: how far from the true density, on rows never seen"
        rows.append((what, measured, f"{size:,} parameters", "`make results ROW='tables FOLDER'`"))
    for name, of in found["tables"].items():
        ours, zuko = (
            f"{of[a]['mean']:.2f}, with splines {of[b]['mean']:.2f}"
            for a, b in (
                ("Real NVP", "Real NVP, spline"),
                ("zuko: Real NVP", "zuko: spline couplings"),
            )
        )
        beside = f"zuko's of the same size and time: {zuko}"
        what = f"the table {name.replace('_', ' ')}: test nats, three seeds"
        rows.append((what, ours, beside, "`make results ROW='tables FOLDER'`"))
    speed = read("flows")["speed"]["64 values"]
    most = {
        what: max(v for n, v in of["ours over theirs"].items() if n != "two masked networks")
        for what, of in speed.items()
    }
    zuko = {what: of["ours over theirs"]["zuko"] for what, of in speed.items()}
    told = ", ".join(f"{what} {value:.2f}" for what, value in zuko.items())
    fastest = ", ".join(f"{value:.2f}" for value in most.values())
    rows.append(
        (
            "Real NVP, 64 values, 8 couplings of (256, 256), 1024 rows, one thread",
            f"times zuko's time: {told}",
            f"times the fastest of zuko, nflows, normflows and FrEIA: {fastest}",
            "`make results ROW=flows`",
        )
    )
    return rows


def vae_rows() -> list[tuple[str, ...]]:
    """Molecules that were drawn, what z holds of them and of sentences, and what a step costs."""
    found, rows = read("molecules"), []
    zinc, plain, qm9 = (found[name] for name in ("zinc", "plain", "qm9"))
    command = "`make results ROW='molecules FOLDER'`"
    for what, run, more in (
        ("drug-like molecules of ZINC", zinc, f"without free bits {_drawn(plain, 'valid'):.1%}"),
        ("small molecules of QM9", qm9, f"new {_drawn(qm9, 'novelty'):.1%}"),
    ):
        own, data = (_drawn(run, "int_div_1", of) for of in ("this run", "its data"))
        measured = f"valid {_drawn(run, 'valid'):.1%}, unique {_drawn(run, 'unique@10k'):.1%}"
        beside = f"{more}; internal diversity {own:.3f}, of the data {data:.3f}"
        cost = f"{run['training_seconds'] / 60:.0f} minutes on two cores"
        rows.append((f"{what}: 10,000 drawn after {cost}", measured, beside, command))
    z, without = zinc["sections"]["latents"], plain["sections"]["latents"]
    kl, units, back, bound, bound_without = (
        of[name]["this run"]
        for of, name in (
            (z, "kl"),
            (z, "active_units"),
            (z, "exact_reconstructions"),
            (z, "bound"),
            (without, "bound"),
        )
    )
    rows.append(
        (
            "the same of ZINC, held-out strings: what z holds; exact reconstructions; bound",
            f"{kl:.1f} nats, {units:.0f} units; {back:.1%}; {bound:.2f} nats",
            f"without free bits {without['kl']['this run']:.1f} nats, "
            f"{without['active_units']['this run']:.0f} units; "
            f"{without['exact_reconstructions']['this run']:.1%}; {bound_without:.2f} nats",
            command,
        )
    )
    step, draws = (read("sequence_vae")[name] for name in ("step", "sampling"))
    rows.append(
        (
            "sequence VAE at the sizes of MOSES, 512 strings, one thread: a training step",
            ", in bf16 ".join(f"{step[p]['seconds'] * 1e3:.0f} ms" for p in ("float32", "bf16")),
            f"{step['float32']['ratio_median']:.1f} times faster than on `torch.nn`; in bf16 "
            f"{step['bf16']['ratio_median']:.1f} times faster than its bf16; "
            f"10,000 strings drawn {draws['times_faster']:.1f} times faster",
            "`make results ROW=sequence_vae`",
        )
    )
    runs = read("sentences")["runs"]
    bounds, nats = (
        statistics.mean(run[family][key] for run in runs)
        for family, key in (("vae", "bound"), ("charrnn", "nats"))
    )
    rows.append(
        (
            "sentences of a novel never seen, in words: nats of a sentence by `vae`, a bound",
            f"{bounds:.1f}; {statistics.mean(run['vae']['kl'] for run in runs):.1f} nats in z",
            f"`charrnn`, without z: {nats:.1f}",
            "`make results ROW='sentences FOLDER'`",
        )
    )
    return rows


def _drawn(run: dict[str, Any], name: str, of: str = "this run") -> float:
    """A measure of drawn molecules, or of as many of the data."""
    return run["sections"]["molecules"][name][of]


def question_rows() -> list[tuple[str, ...]]:
    """Questions about pictures, beside training questions of the answer; what a step costs."""
    easy, rows = read("easy_vqa"), []
    runs = easy["runs"]
    fit, drawn, forms, swap = (
        statistics.mean(run[name] for run in runs)
        for name in ("fit_greedy", "fit_drawn", "forms", "swap")
    )
    minutes = max(run["training_seconds"] for run in runs) / 60
    beside = ", ".join(f"{name} {value:.1%}" for name, value in easy["fit_of"].items())
    rows.append(
        (
            "questions about colored shapes (easy-VQA), given picture and answer, that fit both by "
            f"the rules of the set; {minutes:.0f} minutes of a CPU core",
            f"{fit:.1%}, drawn {drawn:.1%}; forms as often as in the set {forms:.0%}; another "
            f"question for another answer {swap:.1%}",
            f"training questions of the answer: {beside}",
            "`make results ROW='easy_vqa FOLDER'`",
        )
    )
    runs = read("vqa_rad")["runs"]
    measures = {"bleu4": "BLEU-4 {:.1f}", "rouge_l": "ROUGE-L {:.3f}", "cider_d": "CIDEr-D {:.2f}"}
    told = {
        column: ", ".join(
            form.format(statistics.mean(run["sections"]["questions"][name][column] for run in runs))
            for name, form in measures.items()
        )
        for column in ("this run", "most frequent", "nearest picture")
    }
    rows.append(
        (
            "questions about radiographs (VQA-RAD) never seen, given picture and answer",
            told.pop("this run"),
            "; ".join(f"{column}: {what}" for column, what in told.items()),
            "`make results ROW='vqa_rad FOLDER'`",
        )
    )
    step = read("seq2seq")["step"]
    rows.append(
        (
            "attention decoder, 32 questions of 12 tokens about 36 regions of 2048, one thread",
            f"{step['seconds'] * 1e3:.0f} ms a training step",
            f"{step['ratio_median']:.1f} times faster than projecting the picture in the loop; "
            "equal losses",
            "`make results ROW=seq2seq`",
        )
    )
    return rows


def small_table_rows() -> list[tuple[str, ...]]:
    """Flows with no settings on small tables, and what bounds of columns change."""
    found, rows = read("small_tables")["tables"], []
    for name, table in found.items():
        runs = table["seeds"].values()
        told = {
            model: ", ".join(f"{run[model]['nats']:.1f}" for run in runs)
            for model in ("realnvp", "one Gaussian", "mixture of Gaussians", "zuko: NSF")
        }
        num = table["shape"][0]
        rows.append(
            (
                f"{name.replace('_', ' ')}, {num:,} rows, Real NVP with no settings: test nats a "
                "row, three seeds",
                told["realnvp"],
                f"one Gaussian {told['one Gaussian']}; a mixture chosen by validation "
                f"{told['mixture of Gaussians']}; zuko's splines, as many steps "
                f"{told['zuko: NSF']}",
                "`make results ROW='small_tables FOLDER'`",
            )
        )
    for name, ways in read("bounded_tables")["tables"].items():
        bounded, plain = ways["bounded"], ways["as they are"]
        outside = [sum(run["outside"] for run in way["seeds"]) for way in (bounded, plain)]
        num, (low, high) = len(bounded["seeds"]), ways["difference"]["interval"]
        rows.append(
            (
                f"{name.replace('_', ' ')}, columns with bounds: test nats a row, {num} seeds",
                f"{bounded['mean']:.2f}; {outside[0]} of {num * 10_000:,} draws outside",
                f"without them {plain['mean']:.2f}; {outside[1]:,} outside; paired difference "
                f"{low:.3f} to {high:.3f}",
                "`make results ROW='bounded_tables FOLDER'`",
            )
        )
    return rows


def interrupted_rows() -> list[tuple[str, ...]]:
    """Commands stopped in the middle and done again."""
    found = read("interrupted")
    signals = ", ".join(f"{found[name]} by {name}" for name in ("SIGKILL", "SIGINT", "SIGTERM"))
    return [
        (
            "commands of nine families stopped at random places and done again: ended as if they "
            "had not been",
            f"{found['equal']} of {found['places']}",
            f"{signals}; weights and metrics compared to the bit",
            "`make results ROW=interrupted`",
        )
    ]


def kept_rows() -> list[tuple[str, ...]]:
    """Last and best-validation weights of the families whose loss is only a bound."""
    found, rows = read("kept"), []
    of_cpc, command = found["cpc"], "`make results ROW='kept FSDD MOLECULES'`"
    for seed, ways in of_cpc.items():
        for name in ("digits, 100 labels", "speakers"):
            last, best = (
                "{:.1%} ({:.1%} to {:.1%})".format(*ways[way][name]) for way in ("last", "best")
            )
            what = f"cpc, recorded digits: {name}, from the last weights, seed {seed}"
            rows.append(
                (what, last, f"{best} from the best, of step {ways['best']['step']}", command)
            )
    for name in ("vae, 2,000 strings", "vae, 40,000 strings"):
        for seed, ways in found[name].items():
            last, best = (ways[way] for way in ("last", "best"))
            rows.append(
                (
                    f"{name}: valid molecules, from the last weights, seed {seed}",
                    f"{last['molecules']['valid']:.1%}",
                    f"{best['molecules']['valid']:.1%} from the best, of step {best['step']} of "
                    f"{last['step']}",
                    command,
                )
            )
    return rows


SECTIONS: dict[str, Callable[[], list[tuple[str, ...]]]] = {
    "The demo: synthetic speech": speech_rows,
    "Recorded digits": fsdd_rows,
    "Speakers": librispeech_rows,
    "Texts and waveforms": text_rows,
    "Small digits": digits_rows,
    "MNIST": mnist_rows,
    "Tables": flow_rows,
    "Small tables": small_table_rows,
    "Unseen speakers": anomaly_rows,
    "Molecules and sentences": vae_rows,
    "Questions about pictures": question_rows,
    "InfoNCE": info_nce_rows,
    "Mutual information": information_rows,
    "CPC of images": lambda: [*cpc_image_rows(), *paper_image_rows()],
    "Series": series_rows,
    "Windows and long recordings": store_rows,
    "Stopped commands": interrupted_rows,
    "Last and best weights": kept_rows,
    "Recurrent layers": recurrent_rows,
    "Sequences and beams": generation_rows,
    "Drawing value by value": drawing_rows,
}
INTRODUCTION = """\
# Measured

Every figure is made again by its command; `FOLDER` holds the data set. What stands beside a figure
was measured on the same data, unless it says that it was published.
"""
HEAD = ("what", "measured", "beside it", "command")


def headlines() -> str:
    """The first figure of each section."""
    return f"{_lines(HEAD, [rows()[0] for rows in SECTIONS.values()])}\n\n{_machine()}\n"


def all_figures() -> str:
    """A page of all figures, section by section."""
    parts = [f"## {name}\n\n{_lines(HEAD, rows())}" for name, rows in SECTIONS.items()]
    return "\n\n".join([INTRODUCTION + "\n" + _machine(), *parts]) + "\n"


def _machine() -> str:
    speech = read("speech")
    machine, seeds = speech["environment"], ", ".join(str(r["seed"]) for r in speech["runs"])
    return (
        f"On 2 cores of an {machine['processor']}, torch {machine['versions']['torch']}; the demo "
        f"with seeds {seeds}, mean and range. `benchmarks/results/` has each probe's interval."
    )


def shared_gates() -> str:
    """What one matrix for all gates costs, for the page on recurrent layers."""
    runs = read("shared_gates")["runs"]
    nats = {(run["cell"], run["shared"]): run["nats_a_byte"] for run in runs}
    kinds = ("nothing", "matrices", "all")
    rows = [
        (cell.upper(), *(f"{nats[cell, kind]:.3f}" for kind in kinds)) for cell in ("lstm", "gru")
    ]
    head = ("nats a byte", "every gate its own", "one matrix, own biases", "one linear layer")
    return _lines(head, rows)


def cpc_images() -> str:
    """CPC of images beside baselines, for the page on it."""
    head = ("accuracy, %", "features", "mean", "3 x 3 cells")
    return _lines(head, cpc_image_table())


def choices_of_images() -> str:
    """Choices in CPC of images, for the page on it."""
    head = ("MNIST, accuracy, %", "mean, 4,000 labels", "100 labels", "cells, 4,000", "100")
    return _lines(head, cpc_image_choices())


def cpc_series() -> str:
    """CPC of series beside baselines, for the page on it."""
    return _lines(("accuracy, %", "CPC", *BESIDE_SERIES), series_table())


def faults_of_series() -> str:
    """Faults of SKAB, for the page on CPC of series."""
    return _lines(("measure", "F1", "false alarms", "area under the ROC curve"), skab_table())


def information_of_tasks() -> str:
    """Estimates on tasks of known information, for the how-to."""
    head = ("task", "truth", "lower bound", "canonical correlations", "KSG")
    return _lines(head, information_table())


TABLES = {
    "information_of_tasks": information_of_tasks,
    "shared_gates": shared_gates,
    "cpc_images": cpc_images,
    "cpc_series": cpc_series,
    "faults_of_series": faults_of_series,
    "cpc_image_choices": choices_of_images,
}


def _lines(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> None:
    before, rest = README.read_text().split(BEGIN)
    README.write_text(before + BEGIN + headlines() + END + rest.split(END)[1])
    ALL.write_text(all_figures())


if __name__ == "__main__":
    main()
