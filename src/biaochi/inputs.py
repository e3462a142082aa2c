"""What inputs of the usual study are called; those declared keep the name they were given."""

from __future__ import annotations

from biaochi.errors import Lang, Text

_USUAL = {"weights": Text("weights", "权重"), "method": Text("method", "方法"), "imputation": Text("imputation", "插补")}


def input_name(name: str, lang: Lang) -> str:
    """The name of an input in one language."""
    return _USUAL[name].to(lang) if name in _USUAL else name
