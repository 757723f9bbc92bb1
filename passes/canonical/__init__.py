"""The rewrites that ``passes.canonicalize`` applies, one concept a file."""
