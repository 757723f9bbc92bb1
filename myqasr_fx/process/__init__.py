"""The process around the work: progress, garbage collection, memory."""
