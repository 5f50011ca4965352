"""Writes out what espeak would say wrongly, and knows where in the original text each written character stands.

espeak says "dollar forty" for $40, "nine zero zero" for 9:00, and a telephone number as thousands.
"""

from __future__ import annotations

import re

_CURRENCIES = {"$": ("dollar", "cents"), "£": ("pound", "pence"), "€": ("euro", "cents")}

_RULE = re.compile(
    r"""(?P<sign>[$£€])(?P<whole>\d+(?:,\d{3})*)(?:\.(?P<cents>\d\d))?(?!\d)
      | (?<![\d:])(?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d)(?![\d:])(?=(?P<half>\s*[ap]\.?m\b)?)
      | (?P<to>(?<=\d)\s?[–-]\s?(?=\d{1,2}:\d\d))
      | (?P<digits>(?<![\d.,:])\+?\d(?:[ -]?\d){6,}(?![\d:]|[.,]\d))""",
    re.VERBOSE | re.IGNORECASE,
)


def _said(match: re.Match[str]) -> str:
    """The words for one match."""
    part = match.groupdict()
    if sign := part["sign"]:
        unit, small = _CURRENCIES[sign]
        cents = int(part["cents"] or 0)
        return f"{part['whole']} {unit}{'' if part['whole'] == '1' else 's'}" + (f" {cents} {small}" if cents else "")
    if part["hour"]:
        hour, minute = int(part["hour"]), int(part["minute"])
        if minute:
            return f"{hour} oh {minute}" if minute < 10 else f"{hour} {minute}"
        return f"{hour} o'clock" if 1 <= hour <= 12 and not part["half"] else f"{hour}"
    if part["to"]:
        return " to "
    groups = ", ".join(" ".join(group) for group in re.findall(r"\d+", match[0]))
    return f"plus {groups}" if match[0].startswith("+") else groups


def write_out(text: str) -> tuple[str, list[int]]:
    """Return the text as it is to be said, and for each of its characters, and its end, the place in `text`.

    Inside what was rewritten, places are spread evenly.
    """
    written: list[str] = []
    places: list[int] = []
    done = 0
    for match in _RULE.finditer(text):
        said = _said(match)
        written += [text[done : match.start()], said]
        places += range(done, match.start())
        places += [match.start() + at * len(match[0]) // len(said) for at in range(len(said))]
        done = match.end()
    written.append(text[done:])
    places += range(done, len(text) + 1)
    return "".join(written), places
