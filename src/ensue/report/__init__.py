"""The report: one self-contained HTML page per run."""

from ensue.report.page import write_report

__all__ = ["write_report"]
