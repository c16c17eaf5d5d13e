"""Which weights a model name stands for: the Hub commit or the hash of a local folder."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from tasks.errors import Transient, UsageError
from tasks.network import network_errors

BUNDLED = "bundled"
"""Model name that stands for the small models in `data/models/`."""

BUNDLED_FOLDER = Path(__file__).parents[2] / "data" / "models"
BUNDLED_MODELS = {
    "sentiment": BUNDLED_FOLDER / "sentiment-es-en",
    "encoder": BUNDLED_FOLDER / "encoder-es-en",
}
SAFETENSORS, TORCH = "safetensors", "torch (weights only)"
_DESCRIPTION_FILES = ("*.json", "*.txt", "*.model", "*/config.json")


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
    if name == BUNDLED:
        folder = BUNDLED_MODELS[kind]
        return ModelRef(name, _folder_hash(folder), str(folder), _weights_format(folder, name))
    local = Path(name).expanduser()
    if local.is_dir():
        if revision:
            raise UsageError(f"model {name}: a local folder has no revision; leave `revision` out")
        return ModelRef(name, _folder_hash(local), str(local), _weights_format(local, name))
    return _resolve_on_hub(name, revision)


def _resolve_on_hub(name: str, revision: str | None) -> ModelRef:
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    unreachable: tuple[type[BaseException], ...] = (HfHubHTTPError, OfflineModeIsEnabled)
    unreachable += network_errors()
    try:
        info = HfApi().model_info(name, revision=revision)
        files = [sibling.rfilename for sibling in info.siblings or []]
        weights = ["*.safetensors"] if any(f.endswith(".safetensors") for f in files) else ["*.bin"]
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
        try:
            folder = Path(snapshot_download(name, revision=revision, local_files_only=True))
        except (LocalEntryNotFoundError, OSError):
            raise Transient(
                f"model {name}: the Hub cannot be reached and no copy is cached; connect once, "
                "or name a local folder"
            ) from None
    return ModelRef(name, folder.name, str(folder), _weights_format(folder, name))


def _remember(folder: Path, revision: str) -> None:
    """Notes which commit a branch was at, for nights on which the Hub cannot be reached."""
    if revision != folder.name:
        note = folder.parents[1] / "refs" / revision
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(folder.name, encoding="utf-8")


def _weights_format(folder: Path, name: str) -> str:
    if any(folder.glob("*.safetensors")):
        return SAFETENSORS
    if any(folder.glob("pytorch_model*.bin")):
        return TORCH
    raise UsageError(f"model {name}: {folder} holds no model.safetensors and no pytorch_model.bin")


def _folder_hash(folder: Path) -> str:
    """Hash of everything in a folder that decides a score: weights, configuration, tokenizer."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder).as_posix()
        decides = path.suffix in {".safetensors", ".bin", ".json", ".txt", ".model"}
        if decides and not relative.startswith(".") and path.is_file():
            size = path.stat().st_size
            digest.update(f"{relative}\0{size}\0".encode())
            with path.open("rb") as stream:
                while block := stream.read(1 << 20):
                    digest.update(block)
    return f"sha256:{digest.hexdigest()[:40]}"
