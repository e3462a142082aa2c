"""One chart a file, drawn with Vega-Altair; `svg` writes any of them without a browser."""

from __future__ import annotations

import json
import re
import textwrap
from typing import TYPE_CHECKING, Any

from biaochi.errors import MissingExtra

if TYPE_CHECKING:
    import altair as alt

FONT = "sans-serif"
"""What charts are measured with (fast); `svg` and `spec` put `FONTS` in its place."""
FONTS = "PingFang SC, Microsoft YaHei, Noto Sans CJK SC, Source Han Sans SC, system-ui, sans-serif"
INK, GREY, LIGHT, RULE = "#1f4e8c", "#6b7280", "#c9ced6", "#e2e5ea"
SCALE = ["#f1f7f4", "#c3e2d6", "#86c4bd", "#4a9eae", "#23749b", "#12477f"]
"""Sequential blue-green for values."""


def altair() -> Any:
    """The Altair library, or a sentence that says how to get it."""
    try:
        import altair
    except ImportError:
        raise MissingExtra("altair", "plot") from None
    return altair


def finish(chart: alt.Chart | alt.LayerChart, title: str, subtitle: str, note: str = "", **size: Any) -> Any:
    """Title, fonts and quiet axes, the same for every chart; ``note`` is what every output must say."""
    lib = altair()
    heading = lib.Title(
        title,
        subtitle=[*([subtitle] if subtitle else []), *_lines(note)],
        anchor="start",
        fontSize=15,
        subtitleFontSize=13,
        subtitleColor=GREY,
        offset=12,
        font=FONT,
        subtitleFont=FONT,
    )
    titled = {"title": heading} if title or subtitle or note else {}
    return (
        chart.properties(**titled, background="white", **size)
        .configure(font=FONT, padding=4)
        .configure_view(stroke=None)
        .configure_axis(
            labelFontSize=13, titleFontSize=13, gridColor=RULE, domainColor=LIGHT, tickColor=LIGHT, labelColor="#222", titleColor=GREY, titleFontWeight="normal"
        )
        .configure_legend(labelFontSize=13, titleFontSize=13, titleFontWeight="normal")
    )


def _lines(note: str) -> list[str]:
    """A note in lines as wide as a chart; Chinese breaks anywhere."""
    if any("\u4e00" <= c <= "\u9fff" for c in note):
        return [note[i : i + 42] for i in range(0, len(note), 42)]
    return textwrap.wrap(note, 84)


def spec(chart: Any) -> str:
    """The Vega-Lite specification of a chart as JSON."""
    return _plain(chart).replace(f'"{FONT}"', f'"{FONTS}"')


def _plain(chart: Any) -> str:
    """The specification without the control characters that no SVG can hold."""
    return re.sub(r"\\u00[01][0-9a-f]|[\x7f\ufffe\uffff\ud800-\udfff]", " ", json.dumps(chart.to_dict(), ensure_ascii=False))


def svg(chart: Any) -> str:
    """A chart as SVG text."""
    try:
        import vl_convert
    except ImportError:
        raise MissingExtra("vl-convert-python", "plot") from None
    drawn = str(vl_convert.vegalite_to_svg(_plain(chart), vl_version=_version()))
    return drawn.replace(f'font-family="{FONT}"', f'font-family="{FONTS}"').replace("<svg ", '<svg aria-hidden="true" ', 1)


def png(chart: Any, scale: float = 2.0) -> bytes:
    """A chart as PNG."""
    import vl_convert

    return bytes(vl_convert.vegalite_to_png(chart.to_dict(), vl_version=_version(), scale=scale))


def script() -> str:
    """JavaScript that turns a specification into a live chart (``vegaEmbed``); no request leaves the page."""
    import vl_convert

    return str(vl_convert.javascript_bundle(vl_version=_version()))  # type: ignore[call-arg]  # its stub lacks the default


def named(names: dict[str, str]) -> str:
    """An axis expression that shows names where the data hold codes."""
    return f"({json.dumps(names, ensure_ascii=False)})[datum.value]"


def _version() -> str:
    return ".".join(altair().SCHEMA_VERSION.lstrip("v").split(".")[:2])
