"""The rewrites that ``passes.canonical.canonicalize`` applies, one concept a file."""
