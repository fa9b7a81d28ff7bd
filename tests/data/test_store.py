"""The laws of the store: what the codec made is what is read, whole or not at all."""

import csv
import dataclasses
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from ensue.data.config import DataConfig
from ensue.data.items import Clip, Items
from ensue.data.kinds.audio.codec import AudioCodec
from ensue.data.kinds.table.codec import TableCodec
from ensue.data.sources import open_items
from ensue.data.store import Store, open_store
from ensue.errors import DataError
from tests.data.stores import write_lines, write_sound

CODEC = AudioCodec(sample_rate=8000, level=0.5)


def opened(folder: Path, **options: Any) -> Store:
    items = open_items(folder / "sounds", DataConfig(), cache=folder)
    return open_store(items, CODEC, folder / "cache", **options)


def sounds(folder: Path, *names: str) -> Path:
    for i, name in enumerate(names):
        write_sound(folder / "sounds" / name, seconds=0.1 * (i + 1))
    return folder


def built_at(store: Store) -> int:
    return (store.folder / "values.bin").stat().st_mtime_ns


def test_values_are_what_the_codec_made(tmp_path: Path) -> None:
    sounds(tmp_path, "cat/a.wav", "cat/b.wav", "dog/a.wav")
    items = open_items(tmp_path / "sounds", DataConfig(group="label"), cache=tmp_path)
    store = open_store(items, CODEC, tmp_path / "cache")
    assert store.lengths.tolist() == [800, 1600, 2400]
    for i, raw in enumerate(items.raw):
        assert torch.equal(store[i], CODEC.encode(raw))
        assert store.read(i, 10, 20).tolist() == store[i][10:20].tolist()
    assert list(store.ids) == ["cat/a.wav", "cat/b.wav", "dog/a.wav"]
    assert store.labels == {"label": ["cat", "cat", "dog"]}
    assert store.group == ["cat", "cat", "dog"]
    assert (store.rate, store.sequence, store.skipped) == (8000, True, [])


def test_rows_of_a_table_are_items_of_one_step(tmp_path: Path) -> None:
    items = open_items(np.array([[1.0, 2.0], [3.0, 6.0]]), DataConfig(), cache=tmp_path)
    codec = TableCodec(columns=("x0", "x1"), mean=(0.0, 0.0), std=(1.0, 2.0))
    store = open_store(items, codec, tmp_path)
    assert store.lengths.tolist() == [1, 1]
    assert store.values.tolist() == [[1, 1], [3, 3]]
    assert (store.rate, store.sequence) == (1, False)


def test_values_lie_on_the_disk_and_what_is_read_is_a_copy(tmp_path: Path) -> None:
    store = opened(sounds(tmp_path, "a.wav"))
    assert isinstance(store.values, np.memmap)
    before = store[0].clone()
    store[0].zero_()
    assert torch.equal(store[0], before)


def test_store_is_used_again_while_nothing_changes(tmp_path: Path) -> None:
    first = opened(sounds(tmp_path, "a.wav", "b.wav"))
    again = opened(tmp_path, on_item=never)
    assert again.folder == first.folder
    assert built_at(again) == built_at(first)


def never(done: int, total: int) -> None:
    raise AssertionError("the store is built again")


def touch(path: Path) -> None:
    os.utime(path, ns=(0, 0))


def write_longer(path: Path) -> None:
    stat = path.stat()
    write_sound(path, seconds=0.3)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


@pytest.mark.parametrize("change", [touch, write_longer, Path.unlink], ids=lambda c: c.__name__)
def test_changed_file_makes_another_store(tmp_path: Path, change: Callable[[Path], None]) -> None:
    first = opened(sounds(tmp_path, "a.wav", "b.wav"))
    change(tmp_path / "sounds/b.wav")
    again = opened(tmp_path)
    assert again.folder != first.folder
    assert [again.ids, again.lengths.tolist()] == {
        touch: [["a.wav", "b.wav"], [800, 1600]],
        write_longer: [["a.wav", "b.wav"], [800, 2400]],
        Path.unlink: [["a.wav"], [800]],
    }[change]


def test_other_codec_names_groups_or_labels_make_another_store(tmp_path: Path) -> None:
    sounds(tmp_path, "a.wav", "b.wav")
    items = open_items(tmp_path / "sounds", DataConfig(), cache=tmp_path)
    changes = [{}, {"ids": ["x", "y"]}, {"group": ["g", "g"]}, {"labels": {"word": ["yes", "no"]}}]
    stores = [
        open_store(dataclasses.replace(items, **change), codec, tmp_path / "cache")
        for change in changes
        for codec in (CODEC, AudioCodec(sample_rate=8000, level=0.25))
    ]
    assert len({s.folder for s in stores}) == len(stores)
    assert stores[2].ids == ["x", "y"]
    assert stores[4].group == ["g", "g"]
    assert stores[6].labels == {"word": ["yes", "no"]}


def test_bytes_are_the_same_whatever_the_threads_and_the_pieces(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sounds(tmp_path, *(f"{i:02d}.wav" for i in range(30)))
    soundfile.write(tmp_path / "sounds" / "15.wav", np.ones(5000) * np.nan, 8000, "FLOAT")
    written = []
    for threads, block, ahead in ((1, 2**20, 2**20), (3, 700, 1000), (8, 100, 1)):
        monkeypatch.setattr("os.cpu_count", lambda threads=threads: threads)
        monkeypatch.setattr("ensue.data.kinds.audio.recordings.BLOCK_VALUES", block)
        monkeypatch.setattr("ensue.data.store.STEPS_AHEAD", ahead)
        items = open_items(tmp_path / "sounds", DataConfig(), cache=tmp_path)
        store = open_store(items, CODEC, tmp_path / f"cache-{threads}")
        assert [name for name, _ in store.skipped] == ["15.wav"]
        written.append((store.folder / "values.bin").read_bytes())
    assert len(set(written)) == 1


def test_an_item_that_fails_half_way_leaves_nothing_of_itself(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sounds(tmp_path, *(f"{i:02d}.wav" for i in range(25)))
    samples = np.full(4000, 0.1)
    samples[3500] = np.inf
    soundfile.write(tmp_path / "sounds" / "12.wav", samples, 8000, "FLOAT")
    monkeypatch.setattr("ensue.data.kinds.audio.recordings.BLOCK_VALUES", 500)
    monkeypatch.setattr("ensue.data.store.STEPS_AHEAD", 600)
    store = opened(tmp_path)
    assert [name for name, _ in store.skipped] == ["12.wav"]
    assert store.folder.joinpath("values.bin").stat().st_size == 4 * store.lengths.sum()
    for i, name in enumerate(store.ids):
        assert torch.equal(store[i], CODEC.encode(Clip(tmp_path / "sounds" / name)))


def test_item_read_once_is_the_item(tmp_path: Path) -> None:
    store = opened(sounds(tmp_path, "a.wav", "b.wav"))
    for i in (0, 1):
        assert store.read_once(i, 3, 700).tolist() == store[i][3:700].tolist()


def test_few_unreadable_items_are_listed_with_the_reason(tmp_path: Path) -> None:
    sounds(tmp_path, "a.wav", "b.wav", "c.wav")
    write_lines(tmp_path / "sounds/b.wav", "a line, of text")
    for _ in range(2):  # built, and used again
        store = opened(tmp_path, max_skipped=1 / 3)
        assert store.ids == ["a.wav", "c.wav"]
        assert store.lengths.tolist() == [800, 2400]
        (item, reason), *rest = store.skipped
        assert (item, rest) == ("b.wav", [])
        assert "can't be read" in reason
        with open(store.folder / "skipped.csv", newline="") as file:
            assert list(csv.reader(file)) == [["item", "reason"], ["b.wav", reason]]


def test_many_unreadable_items_are_an_error_that_counts_them(tmp_path: Path) -> None:
    sounds(tmp_path, "a.wav", "b.wav", "c.wav")
    write_lines(tmp_path / "sounds/b.wav", "a line of text")
    for _ in range(2):
        with pytest.raises(DataError, match=r"1 of 3 items .* 'b.wav': it can't .*allows 33%; .*"):
            opened(tmp_path, max_skipped=0.33)


def test_nothing_readable_is_an_error_whatever_is_allowed(tmp_path: Path) -> None:
    write_lines(sounds(tmp_path, "a.wav") / "sounds/a.wav", "a line of text")
    with pytest.raises(DataError, match="no item can be used"):
        opened(tmp_path, max_skipped=1.0)


def test_progress_counts_every_item(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    sounds(tmp_path, "a.wav", "b.wav", "c.wav")
    opened(tmp_path, on_item=lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Interrupted(AudioCodec):
    """Stopped by the user at the second item."""

    def pieces(self, raw: Any) -> Iterator[torch.Tensor]:
        if raw.path.name == "b.wav":
            raise KeyboardInterrupt
        return super().pieces(raw)


def test_interrupted_build_leaves_nothing_and_the_next_one_is_whole(tmp_path: Path) -> None:
    sounds(tmp_path, "a.wav", "b.wav", "c.wav")
    items = open_items(tmp_path / "sounds", DataConfig(), cache=tmp_path)
    interrupted = Interrupted(sample_rate=8000, level=0.5)
    with pytest.raises(KeyboardInterrupt):
        open_store(items, interrupted, tmp_path / "cache")
    assert not [p for p in (tmp_path / "cache").iterdir() if p.is_dir()]
    # Its settings are those of the plain codec, and so is the key.
    assert opened(tmp_path).lengths.tolist() == [800, 1600, 2400]


def test_what_a_killed_build_left_is_cleared_away(tmp_path: Path) -> None:
    program = (
        "import os, sys\nfrom pathlib import Path\nfrom ensue.files import drafted\n"
        "with drafted(Path(sys.argv[1])) as draft: draft.mkdir(); os._exit(1)"
    )
    subprocess.run([sys.executable, "-c", program, tmp_path / "cache" / "key"], check=False)
    assert [p for p in (tmp_path / "cache").iterdir() if ".tmp" in p.name]
    assert opened(sounds(tmp_path, "a.wav")).lengths.tolist() == [800]
    assert not [p for p in (tmp_path / "cache").iterdir() if ".tmp" in p.name]


@pytest.mark.parametrize("name", ["meta.json", "values.bin", "offsets.npy", "index.parquet"])
def test_damaged_store_says_what_to_delete(tmp_path: Path, name: str) -> None:
    store = opened(sounds(tmp_path, "a.wav"))
    (store.folder / name).write_bytes(b"?")
    with pytest.raises(DataError, match=rf"the store .*{store.folder.name}' is damaged.*delete it"):
        opened(tmp_path)


def test_cache_that_can_not_be_written_names_the_option(tmp_path: Path) -> None:
    items = open_items([(np.ones(8), 8000)], DataConfig(), cache=tmp_path)
    file = write_lines(tmp_path / "file", "no folder")
    for cache in (file, file / "cache"):
        with pytest.raises(DataError, match=r"can't write the store .* give another --cache"):
            open_store(items, CODEC, cache)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Slow(AudioCodec):
    """Leaves the other process time to come in between; each build writes its process down."""

    log: str = ""

    def pieces(self, raw: Any) -> Iterator[torch.Tensor]:
        with open(self.log, "a") as file:
            file.write(f"{os.getpid()}\n")
        time.sleep(0.02)
        return super().pieces(raw)


def build(folder: Path, barrier: Any, results: Any) -> None:
    items = concurrent_items(folder)
    codec = Slow(sample_rate=8000, level=0.5, log=str(folder / "log"))
    barrier.wait()
    store = open_store(items, codec, folder / "cache")
    results.put((store.ids, np.array(store.values), str(store.folder)))


def concurrent_items(folder: Path) -> Items:
    data = [(np.full(8 + i, i + 1.0), 8000) for i in range(20)]
    return open_items(data, DataConfig(), cache=folder)


def test_processes_that_build_at_once_get_the_same_whole_store(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(2, timeout=60), context.Queue()
    processes = [
        context.Process(target=build, args=(tmp_path, barrier, results), daemon=True)
        for _ in range(2)
    ]
    for process in processes:
        process.start()
    (ids, values, folder), (ids_2, values_2, folder_2) = (results.get(timeout=60) for _ in "ab")
    for process in processes:
        process.join(timeout=60)
    expected = np.concatenate([np.full(8 + i, 2 * (i + 1.0)) for i in range(20)])
    assert ids == ids_2 == list(concurrent_items(tmp_path).ids)
    assert folder == folder_2
    np.testing.assert_array_equal(values, expected)
    np.testing.assert_array_equal(values_2, expected)
    # One of them built it, and the other waited.
    builders = (tmp_path / "log").read_text().split()
    assert (len(builders), len(set(builders))) == (20, 1)
