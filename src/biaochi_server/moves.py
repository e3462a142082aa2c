"""Processes as tables: which verb leads from which state to which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Move:
    """One verb: the states it may start from and the one it leads to."""

    sources: tuple[str, ...]
    target: str
    needs_reason: bool = False


class Stateful(Protocol):
    """Whatever has a state."""

    state: str


class Refused(Exception):
    """A verb that can't be done now: said in words, for the person who asked."""


class IllegalMove(Refused):
    """The verb does not start from the state the thing is in."""


class NeedsReason(Refused):
    """The verb needs a reason and none was given."""


class Stale(Refused):
    """Someone else changed it in the meantime."""


def move(thing: Stateful, verb: str, moves: Mapping[str, Move], *, reason: str = "") -> str:
    """Set the state that the verb leads to; returns the state before.

    Raises
    ------
    IllegalMove
        If the verb does not start from the state it is in.
    NeedsReason
        If the verb needs a reason and none is given.
    """
    chosen = moves[verb]
    if thing.state not in chosen.sources:
        raise IllegalMove(f"{verb}: needs one of the states {', '.join(chosen.sources)}; it is {thing.state}.")
    if chosen.needs_reason and not reason.strip():
        raise NeedsReason(f"{verb}: a reason is needed.")
    before, thing.state = thing.state, chosen.target
    return before
