"""The report: one self-contained HTML page per run."""

from ensue.report.page import make_figures, write_report

__all__ = ["make_figures", "write_report"]
