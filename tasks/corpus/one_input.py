"""Reading one input: what it is, what it lacks, and its rows."""

from dataclasses import replace

from nocturna.tasks.addresses import is_remote
from nocturna.tasks.corpus.collector import Collector
from nocturna.tasks.corpus.columns import refuse_absent
from nocturna.tasks.corpus.formats import Absent, formats
from nocturna.tasks.corpus.input_files import InputFile
from nocturna.tasks.corpus.inputs import Listed, look_at
from nocturna.tasks.corpus.sniffing import tell_utf8
from nocturna.tasks.corpus.storage import (
    Digest,
    mark_of,
    sha256_of_input,
    state_of,
)
from nocturna.tasks.errors import NocturnaError


def read_input(listed: Listed, rows: Collector) -> tuple[InputFile, dict[str, str]]:
    """Hands the rows of an input to a collector, once.

    Returns:
        the input, with its fingerprint and its rows, and the kept columns that it lacks, each with
        a line that says so.

    Raises:
        UsageError: it cannot be read, or lacks a column that it must have.
        NocturnaError: it changed while it was read.
        Transient: its store does not answer.
    """
    source, before = rows.asked, state_of(listed[0].path)
    item = look_at(source, *listed)
    format, found = formats()[item.format], Absent()
    if format.has_rows(source, item):
        found = format.columns(source, item)
        tell_utf8(source, item)
    rows.digest = digest = Digest()
    item, absent = rows.take(item, found.unsure)
    lacks = {**found.lacking, **{n: line for n, line in found.unsure.items() if n in absent}}
    refuse_absent(source, lacks)
    if not item.fingerprint:
        fingerprint = digest.fingerprint if digest.size else sha256_of_input(source, item)
        item = replace(item, fingerprint=fingerprint)
    same = state_of(item.uri) == before
    if is_remote(item.uri) and not item.uri.startswith("hf://"):
        now = mark_of(source, item.uri)
        same = not now or now == item.fingerprint
    if not same:
        raise NocturnaError(f"{item.uri}: changed while it was being read; run again")
    return replace(item, fixed=""), lacks
