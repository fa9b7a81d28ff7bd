"""Texts: files, lines or sentences, as tokens."""
