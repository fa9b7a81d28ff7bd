"""Series: values of one or many sensors, meters or channels, step after step."""
