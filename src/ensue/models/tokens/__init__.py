"""Families that predict items token by token, and what only they share."""
