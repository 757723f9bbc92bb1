"""Speech recognition models: where they come from and what a family of them needs.

Nothing is imported here, because ``myqasr_fx.models.generation`` must load without torch.
"""
