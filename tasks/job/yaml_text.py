"""YAML as people mean it: no key twice, no number that was written as something else."""

import re
from typing import Any

import yaml

_DEEPEST = 50
_MOST_REPEATED = 100_000
"""Nodes of a text once each alias is written out, which a few lines of aliases make endless."""

_TEXT, _NUMBERS = "tag:yaml.org,2002:str", ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_OTHER_BASE = re.compile(r"[-+]?0[0-9_]+|.*:.*")
"""Numbers of YAML 1.1 that nobody means: 010 would be 8, and 1:30 would be 90."""


class _Loader(yaml.SafeLoader):
    """Refuses what would be lost or never end, and takes odd numbers as the texts that they are."""

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
        self._open: list[str | None] = []
        self._nodes = 0
        self._nodes_of: dict[str, int] = {}

    def compose_node(self, parent: Any, index: Any) -> Any:
        event, before = self.peek_event(), self._nodes
        if self.check_event(yaml.AliasEvent):
            self._nodes += self._nodes_of.get(event.anchor, 0)
            if event.anchor in self._open:
                raise _error(f"*{event.anchor} stands inside of what it names", event)
            if self._nodes > _MOST_REPEATED:
                raise _error(f"*{event.anchor} repeats too much; write it out", event)
            return super().compose_node(parent, index)
        if len(self._open) > _DEEPEST:
            raise _error(f"lists and mappings are nested more than {_DEEPEST} deep", event)
        self._open.append(event.anchor)
        node = super().compose_node(parent, index)
        self._open.pop()
        self._nodes += 1
        self._nodes_of[event.anchor] = self._nodes - before
        return node

    def compose_mapping_node(self, anchor: Any) -> Any:
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            said = (key.tag, key.value) if isinstance(key, yaml.ScalarNode) else key
            if said in seen:
                raise _error(f"the key {key.value!r} is there twice; leave one of them out", key)
            seen.add(said)
        return node

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        tag = super().resolve(kind, value, implicit)
        return _TEXT if tag in _NUMBERS and _OTHER_BASE.fullmatch(value) else tag

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except ValueError as error:
            raise _error(str(error), node) from None


def _error(problem: str, where: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=where.start_mark)


def parsed_yaml(text: str) -> Any:
    """The values of a YAML text.

    >>> parsed_yaml("{a: 1_000, b: 010, c: 1:30}")
    {'a': 1000, 'b': '010', 'c': '1:30'}

    Raises:
        yaml.YAMLError: it is not YAML, has a key twice, or is nested without end.
    """
    return yaml.load(text, _Loader)


def composed_yaml(text: str) -> Any:
    """The nodes of a YAML text, which know where they stand in it; raises as `parsed_yaml`."""
    return yaml.compose(text, _Loader)
