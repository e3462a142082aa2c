"""Fingerprints: SHA-256 over content, never over the order or the form it came in."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def fingerprint(content: dict[str, Any]) -> str:
    """SHA-256 (hexadecimal) of plain data; 100 and 100.0 are the same."""
    text = json.dumps(_settled(content), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _settled(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _settled(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_settled(v) for v in value]
    if hasattr(value, "item"):  # a NumPy number
        value = value.item()
    return int(value) if isinstance(value, float) and value.is_integer() else value
