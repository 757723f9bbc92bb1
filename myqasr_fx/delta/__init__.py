"""Delta packs: what a user's bundle has that a cohort's has not, and the exact bundle again from both."""
