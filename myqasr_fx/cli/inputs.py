"""What can be told of a command's inputs before anything that takes seconds is imported."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path


def check_inputs(model: str, recordings: Sequence[Path], out: Path | None, cache: Path | None, force: bool) -> None:
    """Refuses what the work would refuse after its imports.

    Args:
        model: Name or folder.
        recordings: Files and folders; none are passed over.
        out: Folder to write; None where nothing is written.
        cache: Folder for what is measured; None where nothing is kept.
        force: Replace the folder to write.

    Raises:
        OptionError: What is kept would lie in the folder to write.
        OutputError: The folder exists and may not be replaced, or one of both cannot be written.
        AudioError: A path does not exist, or a folder holds no audio.
        ModelError: Nothing is called like the model.
    """
    from myqasr_fx.audio import found_inputs
    from myqasr_fx.bundle.output_folder import check_target
    from myqasr_fx.bundle.places import check_outside
    from myqasr_fx.bundle.writable_folder import check_writable
    from myqasr_fx.models.names import check_name

    if out is not None:
        check_target(target := Path(os.path.realpath(out)), force)
        check_writable(target.parent, "out")
        check_outside(out, {"cache": cache})
    if cache is not None:
        check_writable(cache, "cache")
    if recordings:
        found_inputs(recordings)
    check_name(model)
