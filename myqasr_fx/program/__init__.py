"""The compiler for any exported program, not only for speech."""
