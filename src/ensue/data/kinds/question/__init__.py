"""Questions: texts that are written from pictures and answers."""
