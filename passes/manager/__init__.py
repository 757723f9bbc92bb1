"""Runs passes in a checked order, and checks what each of them leaves."""
