"""Normalizing flows: families of them, and flows that a user composes."""
