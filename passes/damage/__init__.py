"""What rounding is expected to cost: curvature, and what probes make of it."""
