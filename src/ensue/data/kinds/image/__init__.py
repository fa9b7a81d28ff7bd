"""Images: of one size, in levels."""
