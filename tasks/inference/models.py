"""Which weights a model name stands for: the Hub commit or the hash of a local folder."""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nocturna.tasks.errors import Transient, UsageError
from nocturna.tasks.inference.weight_formats import (
    DECIDING,
    SAFETENSORS,
    format_of,
    refuse_pointers,
)
from nocturna.tasks.network import network_errors

BUNDLED = "bundled"
"""Model name that stands for the small models in `data/models/`."""

BUNDLED_FOLDER = Path(__file__).parents[2] / "data" / "models"
BUNDLED_MODELS = {
    "sentiment": BUNDLED_FOLDER / "sentiment-es-en-pt-fr",
    "encoder": BUNDLED_FOLDER / "encoder-es-en-pt-fr",
}
_TOKENIZER_FILES = ("tokenizer.json", "vocab*", "*.model", "*.codes", "*.tiktoken", "tekken.json")
_OF_BYTES = ("ByT5Tokenizer", "CanineTokenizer", "PerceiverTokenizer")
_HUB_NAME = re.compile(r"(\w[\w.-]{0,95}/)?\w[\w.-]{0,95}", re.ASCII)
_PROJECTION_FILES = ("model.safetensors", "pytorch_model.bin")
_DESCRIPTION_FILES = (
    *("README.md", "*.json", "*.txt", "*.model", "*.codes", "*.tiktoken"),
    *(f"*_{kind}/{file}" for kind in ("Dense", "LayerNorm") for file in _PROJECTION_FILES),
)


@dataclass(frozen=True)
class ModelRef:
    """One exact set of weights.

    Attributes:
        name: what the job calls the model.
        revision: 40-hex Hub commit, or `sha256:` and 40 hex digits over a local folder's files.
        folder: where the files of exactly that revision are.
        weights: the format that is loaded: safetensors, or torch's pickle through its safe loader.
    """

    name: str
    revision: str
    folder: str
    weights: str

    @property
    def label(self) -> str:
        """`name@revision`, as rows carry it."""
        return f"{self.name}@{self.revision}"


Resolve = Callable[[str, str | None, str], ModelRef]
"""What pins a model, given its name, its revision and what `bundled` stands for."""


def resolve_model(name: str, revision: str | None, kind: str) -> ModelRef:
    """Pins a model: `bundled`, a local folder, or a name on the Hub at its present commit.

    Args:
        name: as in the job.
        revision: branch, tag or commit; only for the Hub.
        kind: `sentiment` or `encoder`: which bundled model `bundled` stands for.

    Raises:
        UsageError: no such model, or a folder without loadable weights.
        Transient: the Hub does not answer and no copy is cached.
    """
    here = find_model(name, revision, kind)
    if here is None:
        return _resolve_on_hub(name, revision)
    return replace(here, revision=_folder_hash(Path(here.folder)))


def resolve_here(name: str, revision: str | None, kind: str) -> ModelRef:
    """As `resolve_model`, without asking the Hub: a model that was fetched is as it was then.

    Raises:
        UsageError: as `resolve_model`, or it was never fetched.
    """
    here = find_model(name, revision, kind)
    if here is not None:
        return replace(here, revision=_folder_hash(Path(here.folder)))
    found = _cached(name, revision)
    if found is None:
        at = f" at {revision}" if revision else ""
        raise UsageError(f"model {name}: not fetched{at}; `nocturna fetch` does it, with a network")
    return found


def find_model(name: str, revision: str | None, kind: str) -> ModelRef | None:
    """The folder of a model that is on this machine; None for one that only the Hub can tell of.

    Its revision stays empty: that takes a reading of its weights.

    Raises:
        UsageError: it is neither a folder with a whole model nor a name that the Hub could have,
            or the Hub may not be asked and nothing of that name was ever fetched.
    """
    local = BUNDLED_MODELS[kind] if name == BUNDLED else _local(name)
    if local is not None:
        if revision and name != BUNDLED:
            raise UsageError(f"model {name}: a local folder has no revision; leave `revision` out")
        return ModelRef(name, "", str(local), _weights_of(local, name))
    if not _HUB_NAME.fullmatch(name):
        raise UsageError(f"model {name}: no such folder, and not a name on the Hub")
    from huggingface_hub.constants import HF_HUB_CACHE, HF_HUB_OFFLINE

    if HF_HUB_OFFLINE and not Path(HF_HUB_CACHE, f"models--{name.replace('/', '--')}").is_dir():
        raise UsageError(
            f"model {name}: no such folder, and HF_HUB_OFFLINE keeps from asking the Hub; "
            "name a local folder, or unset it"
        )
    return None


def _local(name: str) -> Path | None:
    """The folder of that name, if there is one; none has a name too long or of nobody's home."""
    try:
        found = Path(name).expanduser()
        return found if name and found.is_dir() else None
    except (OSError, RuntimeError):
        return None


def fetch_model(name: str, revision: str | None, kind: str) -> ModelRef:
    """As `resolve_model`, of what the Hub has now: no copy of before will do.

    Raises:
        UsageError: as `resolve_model`.
        Transient: the Hub does not answer.
    """
    here = find_model(name, revision, kind)
    if here is None:
        return _fetched(name, revision)
    return replace(here, revision=_folder_hash(Path(here.folder)))


def _resolve_on_hub(name: str, revision: str | None) -> ModelRef:
    try:
        return _fetched(name, revision)
    except Transient as error:
        found = _cached(name, revision)
        if found is None:
            raise Transient(
                f"{error} and no copy is cached; connect once, or name a local folder"
            ) from None
        return found


def _fetched(name: str, revision: str | None) -> ModelRef:
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    unreachable: tuple[type[BaseException], ...] = (HfHubHTTPError, OfflineModeIsEnabled)
    unreachable += network_errors()
    try:
        info = HfApi().model_info(name, revision=revision)
        files = [sibling.rfilename for sibling in info.siblings or []]
        weights = ["*.safetensors"] if format_of(files) == SAFETENSORS else ["*.bin"]
        wanted = [*_DESCRIPTION_FILES, *weights, *(f"{w}.index.json" for w in weights)]
        folder = Path(snapshot_download(name, revision=info.sha, allow_patterns=wanted))
        _remember(folder, revision or "main")
    except HFValidationError:
        raise UsageError(f"model {name}: no such folder, and not a name on the Hub") from None
    except GatedRepoError:
        raise UsageError(
            f"model {name}: access is gated; accept its terms on the Hub and set HF_TOKEN"
        ) from None
    except RevisionNotFoundError:
        raise UsageError(f"model {name}: the Hub has no revision {revision!r} of it") from None
    except RepositoryNotFoundError:
        raise UsageError(
            f"model {name}: not found, neither as a local folder nor on the Hub "
            "(a private model needs HF_TOKEN)"
        ) from None
    except unreachable:
        raise Transient(f"model {name}: the Hub cannot be reached") from None
    return ModelRef(name, folder.name, str(folder), _weights_of(folder, name))


def _cached(name: str, revision: str | None) -> ModelRef | None:
    """The copy of a model that was fetched from the Hub before; None if there is none."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(name, revision=revision, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError, OSError):
        return None
    return ModelRef(name, folder.name, str(folder), _weights_of(folder, name))


def _remember(folder: Path, revision: str) -> None:
    """Notes which commit a branch was at, for nights on which the Hub cannot be reached."""
    if revision != folder.name:
        note = folder.parents[1] / "refs" / revision
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(folder.name, encoding="utf-8")


def _weights_of(folder: Path, name: str) -> str:
    """The format of a model's weights; makes sure that the rest of it is there too."""
    if (folder / "adapter_config.json").is_file():
        raise UsageError(
            f"model {name}: {folder} holds an adapter (adapter_config.json), which is not read; "
            "merge it into its model with merge_and_unload and save_pretrained"
        )
    _refuse_other_layout(folder, name)
    weights = format_of(path.name for path in folder.iterdir())
    if weights is None:
        raise UsageError(
            f"model {name}: {folder} holds no model.safetensors and no pytorch_model.bin"
        )
    refuse_pointers(folder, [str(one.get("path", "")) for one in _modules(folder)], name)
    if not (folder / "config.json").is_file():
        raise UsageError(f"model {name}: {folder} holds no config.json")
    files = (path for pattern in _TOKENIZER_FILES for path in folder.glob(pattern))
    if not any(files) and not _reads_bytes(folder):
        raise UsageError(
            f"model {name}: {folder} holds no tokenizer: none of {', '.join(_TOKENIZER_FILES)}"
        )
    return weights


def is_encoder(model: ModelRef) -> bool:
    """Whether a folder is one of a sentence encoder, which pools what its network gives."""
    modules = _modules(Path(model.folder))
    return any(str(module.get("type")).endswith(".Pooling") for module in modules)


def _modules(folder: Path) -> list[dict[str, Any]]:
    """The entries of a sentence encoder's list of modules, as far as they can be read."""
    found = _json_in(folder / "modules.json", list) or []
    return [module for module in found if isinstance(module, dict)]


def _refuse_other_layout(folder: Path, name: str) -> None:
    """Refuses a sentence encoder whose first module is not a transformer beside modules.json."""
    first = next(iter(_modules(folder)), {})
    kind, place = str(first.get("type", "")).rpartition(".")[2], str(first.get("path", ""))
    if kind and kind != "Transformer" and not (folder / "config.json").is_file():
        raise UsageError(
            f"model {name}: its module {kind} is not supported; choose an encoder whose first "
            "module is a transformer"
        )
    if folder / place != folder:
        raise UsageError(
            f"model {name}: its transformer is in the folder {place}, which is not supported; put "
            "its files beside modules.json"
        )


def _reads_bytes(folder: Path) -> bool:
    """Whether the tokenizer is one that needs no vocabulary, as its tokens are bytes or signs."""
    told = _json_in(folder / "tokenizer_config.json", dict)
    return bool(told) and told.get("tokenizer_class") in _OF_BYTES


def _json_in(path: Path, kind: type) -> Any:
    """What a JSON file holds, if that is of a kind; None otherwise, and where there is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, kind) else None


def _folder_hash(folder: Path) -> str:
    """Hash of everything in a folder that decides a score: weights, configuration, tokenizer."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder).as_posix()
        decides = path.suffix in DECIDING
        if decides and not relative.startswith(".") and path.is_file():
            size = path.stat().st_size
            digest.update(f"{relative}\0{size}\0".encode())
            with path.open("rb") as stream:
                while block := stream.read(1 << 20):
                    digest.update(block)
    return f"sha256:{digest.hexdigest()[:40]}"
