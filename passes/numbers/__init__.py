"""Number formats: widths, scales and codes, and how they are packed."""
