"""Where a bundle loses what its full-precision model knows, and what to change."""
