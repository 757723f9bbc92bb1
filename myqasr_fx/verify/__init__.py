"""Exported files against the graphs that they were made from."""
