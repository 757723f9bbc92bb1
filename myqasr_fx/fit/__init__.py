"""From measurements and a budget to files that meet it."""
