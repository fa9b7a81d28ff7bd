"""Make a published figure again: ``python -m benchmarks.results ROW``."""

import importlib
import sys

ROWS = {
    "speech": "the demo, three seeds: time, memory, phones and speakers beside the baselines",
    "fsdd": "the waveform encoder on recorded digits: 100 labels (ROW='fsdd FOLDER SEED ...')",
    "store": "windows a second beside what training takes; embed on three hours of sound",
    "info_nce": "time and memory of InfoNCE beside gathering the negatives",
}


def main() -> None:
    name, *words = sys.argv[1:] or [""]
    if name not in ROWS:
        sys.exit("\n".join(["rows are:", *(f"  {row:10} {what}" for row, what in ROWS.items())]))
    importlib.import_module(f"benchmarks.{name}").main(*words)


if __name__ == "__main__":
    main()
