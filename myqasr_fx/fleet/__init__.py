"""Many users of one model: the model is loaded and captured once, every user gets a bundle, and a ledger is kept."""
