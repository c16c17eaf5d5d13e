"""A corpus as a data set of the library `datasets`: every row, as a night reads it."""

import shutil
import tempfile
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nocturna.tasks.corpus.document_tables import DISPOSED, kept_name
from nocturna.tasks.corpus.index import build_index, kept_schema, read_rejects
from nocturna.tasks.corpus.kept import stored_type
from nocturna.tasks.corpus.lots import index_file, texts_file
from nocturna.tasks.corpus.staged_rows import texts_at
from nocturna.tasks.corpus.staging import Shelf, stage
from nocturna.tasks.job.source import Source

_OWN = {
    "doc_id": pa.string(),
    "text": pa.large_string(),
    "source_uri": pa.string(),
    "source_row": pa.int64(),
    "error_code": pa.string(),
    "error_message": pa.string(),
}


def _put(building: Path, folder: Path) -> None:
    building.rename(folder)


def _link(source: Path, target: Path) -> None:
    target.hardlink_to(source)


@dataclass
class CorpusConfig(datasets.BuilderConfig):
    """The source of a corpus."""

    source: Source | None = None


class CorpusBuilder(datasets.ArrowBasedBuilder):
    """Stages a corpus in a temporary folder and gives its rows, some thousand at a time.

    Rows that are no documents are among them, with an error code and no id.
    """

    BUILDER_CONFIG_CLASS = CorpusConfig
    VERSION = datasets.Version("1.0.0")

    def _info(self) -> datasets.DatasetInfo:
        self._folder = Path(tempfile.mkdtemp(prefix="nocturna-corpus-"))
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        source = self.config.source
        self._renamed = source.renamed
        source = source.model_copy(update={"keep": source.kept})
        self._staged = stage(source, Shelf(self._folder / "staged", _put))
        (self._folder / "index").mkdir()
        build_index(self._staged, self._folder / "index", _link)
        kept = kept_schema(self._folder / "index")
        self._kept = pa.schema([f.with_type(stored_type(f.type)) for f in kept])
        renamed = [f.with_name(self._renamed.get(f.name, f.name)) for f in self._kept]
        self._schema = pa.schema([*_OWN.items(), *renamed])
        return datasets.DatasetInfo(features=datasets.Features.from_arrow_schema(self._schema))

    def _split_generators(self, dl_manager: Any) -> list[datasets.SplitGenerator]:
        return [datasets.SplitGenerator(name=datasets.Split.TRAIN)]

    def _generate_tables(self) -> Iterator[tuple[Any, pa.Table]]:
        for number, (home, inside, _) in enumerate(self._staged.chunks()):
            documents = pq.read_table(index_file(self._folder / "index", number))
            texts = texts_at(texts_file(home, inside), np.arange(documents.num_rows))
            documents = documents.append_column("text", texts)
            documents = documents.filter(pc.is_in(documents["disposition"], pa.array(DISPOSED)))
            made = {name: documents[name] for name in _OWN}
            made |= {name: documents[kept_name(name)] for name in self._kept.names}
            yield (number, 0), pa.table(list(made.values()), schema=self._schema)
            rejects = read_rejects(self._folder / "index", number)
            if rejects.num_rows:
                empty = {
                    name: pa.nulls(rejects.num_rows, self._schema.field(name).type)
                    for name in self._schema.names
                }
                told = {
                    "source_uri": "source_uri",
                    "source_row": "source_row",
                    "error_code": "reason",
                    "error_message": "message",
                }
                empty |= {name: rejects[other] for name, other in told.items()}
                yield (number, 1), pa.table(list(empty.values()), schema=self._schema)
