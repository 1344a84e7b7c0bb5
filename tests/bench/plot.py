"""What one delivery costs, drawn as bars: an SVG that follows the reader's colour scheme."""

from __future__ import annotations

from html import escape

from tests.bench.figure import Figure

WIDTH, LABELS, ROW, BAR = 720, 290, 34, 20
STYLE = (
    "text{font:14px system-ui,sans-serif;fill:#1a1d21}.bar{fill:#7d8793}.ours{fill:#1656b8}"
    "@media(prefers-color-scheme:dark){text{fill:#e8eaed}.ours{fill:#8ab4f8}}"
)


def bars(figures: list[Figure]) -> list[tuple[str, float, bool]]:
    """Return (what, microseconds, is it ours) from the dearest to the cheapest; empty without the fan-out's figures."""
    fan_out = [figure for figure in figures if figure.what.startswith("fan-out") and figure.unit == "µs"]
    found = [(figure.baseline, figure.baseline_value, False) for figure in fan_out]
    found += [("livethread, one comment", fan_out[0].value, True)] if fan_out else []
    found += [
        ("livethread, hot thread, per comment", figure.value, True)
        for figure in figures
        if figure.what.startswith("hot") and figure.unit == "µs"
    ]
    return sorted(found, key=lambda bar: -bar[1])


def svg(figures: list[Figure], machine: str) -> str:
    """Raises ValueError where there is nothing to draw."""
    drawn = bars(figures)
    if not drawn:
        raise ValueError("a plot needs the figures of fanout (and of hot)")
    scale = (WIDTH - LABELS - 90) / drawn[0][1]
    height = 64 + ROW * len(drawn)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>CPU of the server per delivery</title><style>{STYLE}</style>",
        '<text x="8" y="24">Microseconds of the server’s CPU for one comment on one of 10,000 screens</text>',
    ]
    for place, (what, value, is_ours) in enumerate(drawn):
        y = 44 + place * ROW
        length, kind = max(2, round(value * scale)), "ours" if is_ours else "bar"
        lines += [
            f'<text x="{LABELS - 10}" y="{y + 15}" text-anchor="end">{escape(what)}</text>',
            f'<rect class="{kind}" x="{LABELS}" y="{y}" width="{length}" height="{BAR}" rx="3"/>',
            f'<text x="{LABELS + length + 8}" y="{y + 15}">{value:.1f}</text>',
        ]
    lines.append(
        f'<text x="{WIDTH - 8}" y="{height - 8}" text-anchor="end" opacity=".7">{escape(machine)}</text></svg>'
    )
    return "\n".join(lines) + "\n"
