"""Our schemes in the flows of other tools."""
