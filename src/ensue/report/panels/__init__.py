"""Panels: each draws one part of a run's files as a piece of HTML."""
