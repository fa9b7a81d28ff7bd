"""Forecasts of series beside naive ones, ridge, nearest neighbors and AR, three seeds.

``UCR`` holds ``ItalyPowerDemand/``: the last 12 values from the first 12. ``NAB`` holds the files
of the Numenta Anomaly Benchmark: the next 24 steps, every 24 steps, in the last fifth of each file.
All is fitted on the training part, or on the first three fifths. So that four fifths of the values
lie inside, the temperature of draws is chosen on the training part by four folds, and forecasts of
NAB are stretched by the errors of the ``CALIBRATE`` forecasts before each, as ``ensue forecast
--calibrate`` does; how many was chosen on the fourth fifth.
"""

import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from sklearn.linear_model import RidgeCV
from sklearn.neighbors import KNeighborsRegressor

from benchmarks.labelled import folder_of
from benchmarks.measure import save
from ensue import load, train
from ensue.data.columns import read_columns
from ensue.data.kinds.series.ts import read_ts
from ensue.evaluation.forecast import last_season, measured, stretch, stretched

SEEDS = ("0", "1", "2")
RECIPE = "series-causal"
FILES = {
    "nyc_taxi": 48,
    "ambient_temperature_system_failure": 24,
    "machine_temperature_system_failure": 288,
}
"""Files, and the steps of a day in each."""
GIVEN, AHEAD, LAGS, DRAWS = 12, 24, 168, 100
TEMPERATURES = (1.0, 1.15, 1.3, 1.5)
CALIBRATE = (10, 20, 40)
STRENGTHS = np.logspace(-3, 5, 17)
Draws = list[np.ndarray]
K = TypeVar("K")


def nearest_to(coverages: Mapping[K, float], wanted: float = 0.8) -> K:
    return min(coverages, key=lambda t: abs(coverages[t] - wanted))


def learned(series: Sequence[np.ndarray], folder: Path, seed: int) -> Any:
    train("causal", list(series), out=folder, recipe=RECIPE, seed=seed, quiet=True, num_threads=1)
    return load(folder)


def told(
    draws: Draws, truth: Sequence[np.ndarray], histories: Sequence[np.ndarray], season: int = 1
) -> dict[str, float | None]:
    found = asdict(measured(draws, list(truth), list(histories), season=season))
    return {name: None if v is None else round(v, 5) for name, v in found.items()}


def drawn(run: Any, pasts: Sequence[np.ndarray], num_steps: int, temperature: float) -> Draws:
    found = run.forecast(list(pasts), num_steps, num=DRAWS, temperature=temperature)
    return [draws[:, :, 0] for draws in found]


def with_noise(means: np.ndarray, errors: np.ndarray, seed: int) -> Draws:
    """Draws about means (items, steps), as far away as errors (items, steps) of training were."""
    noise = np.random.default_rng(seed).normal(size=(len(means), DRAWS, means.shape[1]))
    return list(means[:, None] + noise * errors.std(0))


def italy(folder: Path, seed: int, place: Path) -> dict[str, Any]:
    train_x, test_x = (
        np.stack(
            [np.asarray(x).reshape(-1, 1) for x in read_ts(folder / f"{folder.name}_{part}")[0]]
        )
        for part in ("TRAIN.ts.gz", "TEST.ts.gz")
    )
    folds = np.array_split(np.random.default_rng(seed).permutation(len(train_x)), 4)
    coverages = {temperature: 0.0 for temperature in TEMPERATURES}
    for i, held in enumerate(folds):
        run = learned(np.delete(train_x, held, 0), place / f"fold{i}", seed)
        truth, pasts = train_x[held, GIVEN:, 0], train_x[held, :GIVEN]
        for temperature in TEMPERATURES:
            draws = drawn(run, pasts, len(truth[0]), temperature)
            coverage = told(draws, truth, pasts[:, :, 0])["coverage"]
            coverages[temperature] += (coverage or 0) / len(folds)
    temperature = nearest_to(coverages)
    begun = time.process_time()
    run = learned(train_x, place / "all", seed)
    seconds = time.process_time() - begun
    x, y = train_x[:, :GIVEN, 0], train_x[:, GIVEN:, 0]
    pasts, truth = test_x[:, :GIVEN], test_x[:, GIVEN:, 0]
    histories = list(pasts[:, :, 0])
    ridge = RidgeCV(STRENGTHS).fit(x, y)
    near = KNeighborsRegressor(5).fit(x, y)
    found = {
        "this run": drawn(run, pasts, truth.shape[1], temperature),
        "this run, temperature 1": drawn(run, pasts, truth.shape[1], 1.0),
        "ridge": with_noise(ridge.predict(pasts[:, :, 0]), y - ridge.predict(x), seed),
        "nearest neighbors": [y[rows] for rows in near.kneighbors(pasts[:, :, 0])[1]],
        "last value": [last_season(h, truth.shape[1])[None] for h in histories],
    }
    measures = {name: told(draws, truth, histories) for name, draws in found.items()}
    # Squared errors are those of the forecasts themselves, without the noise of draws.
    measures["ridge"]["squared_error"] = _squared(ridge.predict(pasts[:, :, 0]), truth)
    return {
        "seed": seed,
        "temperature": temperature,
        "coverage by temperature, training part": {
            f"{t:g}": round(c, 3) for t, c in coverages.items()
        },
        "training, CPU seconds": round(seconds, 1),
        "measures": measures,
    }


def nab(path: Path, season: int, seed: int, place: Path) -> dict[str, Any]:
    x = np.array([float(cell) for cell in read_columns(path)["value"].to_pylist()])
    first, second = int(0.6 * len(x)), int(0.8 * len(x))
    begun = time.process_time()
    run = learned([x[:first, None]], place / path.stem, seed)
    seconds = time.process_time() - begun

    def at(places: range) -> tuple[list[np.ndarray], list[np.ndarray]]:
        return [x[:o] for o in places], [x[o : o + AHEAD] for o in places]

    def ours(begin: int, end: int) -> dict[str, Draws]:
        """Forecasts from ``begin`` on, as they are and by the errors of as many before each."""
        before = min(max(CALIBRATE), begin // AHEAD - 1)
        pasts, came = at(range(begin - before * AHEAD, end - AHEAD + 1, AHEAD))
        draws = drawn(run, [past[:, None] for past in pasts], AHEAD, 1.0)
        found = {"as they are": draws[before:]}
        for num in CALIBRATE:
            found[str(num)] = [
                stretched(draws[i], stretch(draws[i - num : i], came[i - num : i]))
                for i in range(before, len(draws))
            ]
        return found

    pasts, truth = at(range(first, second - AHEAD + 1, AHEAD))
    units = [x[:first]] * len(pasts)
    coverages = {
        num: told(draws, truth, units, season)["coverage"] or 0.0
        for num, draws in ours(first, second).items()
    }
    chosen = nearest_to({num: c for num, c in coverages.items() if num != "as they are"})
    pasts, truth = at(range(second, len(x) - AHEAD + 1, AHEAD))
    units = [x[:first]] * len(pasts)
    draws = ours(second, len(x))
    found = {
        "this run": draws[chosen],
        "this run, as it is": draws["as they are"],
        f"ridge on {LAGS} lags": ridge_on_lags(x[:first], pasts, seed),
        f"AR of order {LAGS}": autoregression(x[:first], pasts, seed),
        "last value": [last_season(past, AHEAD)[None] for past in pasts],
        "last day": [last_season(past, AHEAD, season)[None] for past in pasts],
    }
    return {
        "seed": seed,
        "stretched by": int(chosen),
        "coverage on the fourth fifth": {n: round(c, 3) for n, c in coverages.items()},
        "forecasts": len(pasts),
        "training, CPU seconds": round(seconds, 1),
        "measures": {name: told(draws, truth, units, season) for name, draws in found.items()},
    }


def _windows(z: np.ndarray, ahead: int) -> tuple[np.ndarray, np.ndarray]:
    windows = np.lib.stride_tricks.sliding_window_view(z, LAGS + ahead)
    return windows[:, :LAGS], windows[:, LAGS:]


def ridge_on_lags(x: np.ndarray, pasts: Sequence[np.ndarray], seed: int) -> Draws:
    """Each of the next steps from the last values, linearly."""
    mean, scale = x.mean(), x.std()
    lags, ahead = _windows((x - mean) / scale, AHEAD)
    model = RidgeCV(STRENGTHS).fit(lags, ahead)
    last = (np.stack([past[-LAGS:] for past in pasts]) - mean) / scale
    draws = with_noise(model.predict(last), ahead - model.predict(lags), seed)
    return [each * scale + mean for each in draws]


def autoregression(x: np.ndarray, pasts: Sequence[np.ndarray], seed: int) -> Draws:
    """The next step from the last values, linearly, with normal noise, step after step."""
    mean, scale = x.mean(), x.std()
    lags, ahead = _windows((x - mean) / scale, 1)
    model = RidgeCV(STRENGTHS).fit(lags, ahead[:, 0])
    noise = float((ahead[:, 0] - model.predict(lags)).std())
    rng, found = np.random.default_rng(seed), []
    for past in pasts:
        rows = np.repeat(((past[-LAGS:] - mean) / scale)[None], DRAWS, 0)
        for _ in range(AHEAD):
            following = model.predict(rows[:, -LAGS:]) + noise * rng.normal(size=DRAWS)
            rows = np.concatenate([rows, following[:, None]], 1)
        found.append(rows[:, LAGS:] * scale + mean)
    return found


def _squared(forecast: np.ndarray, truth: np.ndarray) -> float:
    return round(float(((forecast - truth) ** 2).mean()), 5)


def main(ucr: str = "", nab_folder: str = "", *seeds: str) -> None:
    sets = folder_of(ucr, "ENSUE_UCR", "the sets of the UCR and UEA archives")
    files = folder_of(nab_folder, "ENSUE_NAB", "the Numenta Anomaly Benchmark")
    places = {name: next(files.rglob(f"{name}.csv"), None) for name in FILES}
    lacking = [name for name, path in places.items() if path is None]
    if lacking:
        sys.exit(f"there is no {', '.join(lacking)} in {str(files)!r}")
    runs: dict[str, list[dict[str, Any]]] = {"ItalyPowerDemand": [], **{n: [] for n in FILES}}
    for seed in map(int, seeds or SEEDS):
        with tempfile.TemporaryDirectory() as temporary:
            place = Path(temporary)
            runs["ItalyPowerDemand"].append(italy(sets / "ItalyPowerDemand", seed, place))
            for name, path in places.items():
                assert path is not None
                runs[name].append(nab(path, FILES[name], seed, place))
                save("series_forecast", {"recipe": RECIPE, "runs": runs})


if __name__ == "__main__":
    main(*sys.argv[1:])
