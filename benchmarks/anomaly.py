"""A voice that wasn't there: densities of embeddings of recorded digits, each speaker left out.

For each of the six speakers of FSDD: the recipe ``fsdd`` learns from the training recordings of
the other five without labels, ``embed`` represents them, the recipe ``embeddings`` learns their
density. Odd is how unlikely a recording of the test part is. What is told is the area under the ROC
curve: how often one of the speaker left out is odder than one of the others. Beside it, on the same
embeddings: the Mahalanobis distance (covariance by Ledoit and Wolf, 2004) and the distance to the
nearest neighbor and to the fifth, standardized.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import torch
from sklearn.covariance import LedoitWolf
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from benchmarks.labelled import folder_of, index_of, unpack, write_manifest
from benchmarks.measure import save

Distance = Callable[[np.ndarray], np.ndarray]
HEADER = ("path", "digit", "speaker", "split")


def distances(learnt: np.ndarray) -> dict[str, Distance]:
    """What is far from the rows that are learnt, standardized."""
    mean, std = learnt.mean(0), learnt.std(0)
    covariance = LedoitWolf().fit((learnt - mean) / std)
    found: dict[str, Distance] = {"Mahalanobis": lambda x: covariance.mahalanobis((x - mean) / std)}
    for k in (1, 5):
        neighbors = NearestNeighbors(n_neighbors=k).fit((learnt - mean) / std)
        found[f"neighbor {k}"] = lambda x, n=neighbors: n.kneighbors((x - mean) / std)[0][:, -1]
    return found


def vectors(path: Path) -> np.ndarray:
    column = pyarrow.parquet.read_table(path)["embedding"].combine_chunks()
    return column.flatten().to_numpy().reshape(len(column), -1).astype(np.float64)


def without(speaker: str, rows: list[tuple[Any, ...]], folder: Path) -> dict[str, Any]:
    """The areas under the curves, with what it took."""
    import ensue

    quiet = {"cache": folder / "cache", "quiet": True}
    learnt = [r for r in rows if r[2] != speaker and r[3] == "train"]
    tested = [r for r in rows if r[3] == "test"]
    tables = {}
    begun = time.process_time()
    for name, some in {"learnt": learnt, "tested": tested}.items():
        manifest = write_manifest(folder / f"{name}-{speaker}.csv", HEADER, some)
        tables[name] = folder / f"{name}-{speaker}.parquet"
        if name == "learnt":
            out = folder / f"cpc-{speaker}"
            ensue.train("cpc", manifest, out=out, recipe="fsdd", num_threads=1, **quiet)
        ensue.embed(folder / f"cpc-{speaker}", manifest, out=tables[name], **quiet)
    represented, flow = time.process_time(), folder / f"flow-{speaker}"
    ensue.train("realnvp", tables["learnt"], out=flow, recipe="embeddings", num_threads=1, **quiet)
    scores = folder / f"scores-{speaker}.parquet"
    ensue.score(flow, tables["tested"], out=scores, **quiet)
    ended = time.process_time()
    found = pyarrow.parquet.read_table(scores)
    is_odd = np.array(found["speaker"].to_pylist()) == speaker
    x = vectors(tables["tested"])
    odd = {"flow": -found["nats"].to_numpy()}
    odd |= {name: far(x) for name, far in distances(vectors(tables["learnt"])).items()}
    return {
        "rows": len(learnt),
        "columns": x.shape[1],
        "cpc_cpu_seconds": round(represented - begun, 1),
        "flow_cpu_seconds": round(ended - represented, 1),
        "auroc": {name: round(float(roc_auc_score(is_odd, far)), 4) for name, far in odd.items()},
    }


def main(source: str = "") -> None:
    torch.set_num_threads(1)
    data = folder_of(source, "ENSUE_FSDD", "recordings_flac.tar and index.csv of FSDD")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        places = unpack(data / "recordings_flac.tar", folder)
        rows = [
            (places[Path(r["file"]).name], f"d{r['digit']}", r["speaker"], r["split"])
            for r in index_of(data)
        ]
        found = {}
        for speaker in sorted({r[2] for r in rows}):
            found[speaker] = without(speaker, rows, folder)
            print(speaker, found[speaker], flush=True)
    names = next(iter(found.values()))["auroc"]
    mean = {n: round(statistics.mean(f["auroc"][n] for f in found.values()), 4) for n in names}
    save("anomaly", {"recipe": "embeddings", "mean": mean, "left out": found})


if __name__ == "__main__":
    main()
