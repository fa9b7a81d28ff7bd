"""Molecules: SMILES, which are texts with marks of their own."""
