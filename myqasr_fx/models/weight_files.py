"""Which files of a folder may be read as weights: safetensors inside it, whatever its files say."""

from __future__ import annotations

from pathlib import Path

from myqasr_fx.errors import ModelError
from myqasr_fx.models.json_file import read_json
from myqasr_fx.models.refusal import place, shown, wrong

_SINGLE = "model.safetensors"
_INDEX = "model.safetensors.index.json"
_SUFFIX = ".safetensors"
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
_ADAPTERS = ("adapter_config.json", "adapter_model.safetensors", "adapter_model.bin")
_LANGUAGE_ADAPTERS = "adapter.*"


def find_weight_files(folder: Path) -> tuple[Path, ...]:
    """The regular safetensors files inside a Hugging Face folder that hold its weights.

    Raises:
        ModelError: There are none, they are a pickle or an adapter, the index names anything but safetensors in the
            folder, or a link leads out of it.
    """
    _refuse_adapters(folder)
    shards = _read_index(folder / _INDEX) if _exists(folder / _INDEX) else ()
    names = (_SINGLE,) if _exists(folder / _SINGLE) else shards
    if names:
        return tuple(weight_file(folder, name) for name in names)
    pickles = sorted(path.name for pattern in _PICKLES for path in folder.glob(pattern))
    if pickles:
        raise ModelError(
            f"{place(folder)}: {pickles[0]} is a pickle, which can run code; expected safetensors",
            hint="convert the checkpoint to safetensors first",
        )
    raise ModelError(f"{place(folder)}: no weights", hint=f"the folder needs config.json and {_SINGLE}")


def _refuse_adapters(folder: Path) -> None:
    for name in _ADAPTERS:
        if _exists(folder / name):
            raise ModelError(
                f"{place(folder / name)}: an adapter that is not merged, expected a whole model",
                hint="PeftModel.from_pretrained(BASE, DIR).merge_and_unload().save_pretrained(OUT) of peft merges it; "
                "docs/wild.md",
            )


def refuse_language_adapters(folder: Path) -> None:
    """Refuses a folder with the adapter of a language, for models that load none.

    Raises:
        ModelError: It has one.
    """
    if found := next(iter(sorted(folder.glob(_LANGUAGE_ADAPTERS))), None):
        raise ModelError(
            f"{place(found)}: the adapter of one language, which is read from safetensors into a Wav2Vec2 alone",
            hint="load it with transformers' load_adapter, save model and tokenizer elsewhere and take that folder",
        )


def _read_index(path: Path) -> tuple[str, ...]:
    index = read_json(path).get("weight_map")
    if not isinstance(index, dict) or not index:
        raise wrong(path, "weight_map", index, "an object of tensor names and file names, not empty")
    for tensor, name in index.items():
        plain = isinstance(name, str) and name.endswith(_SUFFIX) and name.isprintable()
        if not plain or {"/", "\\", ":"} & set(name) or name.startswith("."):
            raise wrong(path, f"weight_map[{shown(tensor)}]", name, "the name of a .safetensors file in the folder")
    return tuple(sorted(set(index.values())))


def weight_file(folder: Path, name: str) -> Path:
    """The file ``name`` of ``folder``, links resolved; those of the hub's cache lead to its own ``blobs``.

    Raises:
        ModelError: It is missing, or a link leads out of the folder.
    """
    path = folder / name
    try:
        home, real = folder.resolve(), path.resolve()
    except (OSError, RuntimeError) as error:  # links in a circle
        raise ModelError(f"{place(path)}: is a link that leads nowhere") from error
    is_blob = home.parent.name == "snapshots" and real.parent == home.parent.parent / "blobs"
    if not is_blob and not (real.is_relative_to(home) and real.suffix == _SUFFIX):
        raise ModelError(
            f"{place(path)}: links to another place than a .safetensors file in the folder",
            hint="copy the file into the folder",
        )
    if not real.is_file():
        raise ModelError(f"{place(path)}: is missing or no regular file", hint="copy the model again")
    return real


def _exists(path: Path) -> bool:
    return path.exists() or path.is_symlink()
