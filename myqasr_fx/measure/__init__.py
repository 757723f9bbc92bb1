"""Everything that is learned from the clips."""
