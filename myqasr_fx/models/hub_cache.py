"""The hub's cache on this machine. Loads no torch."""

from __future__ import annotations

from pathlib import Path

CTRANSLATE2 = "model.bin"
SAFETENSORS = "*.safetensors"


def cached_snapshot(repo_id: str) -> Path | None:
    """The cached snapshot of a hub model, or None when it is absent or holds no weights."""
    from huggingface_hub import snapshot_download  # takes half a second, which a local folder need not wait for

    try:
        folder = Path(snapshot_download(repo_id, local_files_only=True))
    except (OSError, ValueError):  # the errors of huggingface_hub for an absent snapshot
        return None
    complete = (folder / "config.json").is_file() and any(folder.glob(SAFETENSORS))
    return folder if complete or (folder / CTRANSLATE2).is_file() else None
