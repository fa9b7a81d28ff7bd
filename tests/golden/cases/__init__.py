"""The golden runs: what is trained on what, and what is then asked of it."""

from tests.golden.cases import images, mistakes, questions, series, sounds, tables, texts

CASES = (
    *sounds.CASES,
    *images.CASES,
    *series.CASES,
    *texts.CASES,
    *tables.CASES,
    *questions.CASES,
    *mistakes.CASES,
)
