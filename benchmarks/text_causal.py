"""The causal model on tinyshakespeare in five minutes of one thread; see ``benchmarks.text``."""

from benchmarks.measure import save
from benchmarks.text import measure


def main(source: str = "", *seeds: str) -> None:
    save("text_causal", measure("causal", "text-causal", source, seeds))


if __name__ == "__main__":
    main()
