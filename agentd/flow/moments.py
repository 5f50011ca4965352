"""Days and times as people say them.

Bare hours are read as a business would: seven to eleven are in the morning, twelve is noon, one to six are in the
afternoon. A weekday is the next one after today; "next Wednesday" is the one of next week. What is said back uses the
same rules, so that a caller who repeats it is understood.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any, Literal

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from agentd.flow import numbers

Part = Literal["morning", "afternoon", "evening"]
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
PARTS: dict[str, Part] = {"morning": "morning", "afternoon": "afternoon", "evening": "evening"}
_HOURS: dict[str, tuple[int, int]] = {"morning": (0, 12), "afternoon": (12, 18), "evening": (17, 24)}
_JOINING = {"on", "at", "in", "the", "for", "about", "around", "by", "from", "of", "a", "maybe", "this", "coming"}
_ISO = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)?(?:[T ]?(?P<time>\d\d:\d\d)(?::\d\d(?:\.\d+)?)?)?(?: ?(?P<part>morning|afternoon|evening))?"
)


@dataclass(frozen=True, slots=True)
class Moment:
    """A day, perhaps with a time or a part of the day; or a time that still wants its day.

    Written "2026-11-24T10:00", "2026-11-24" or "2026-11-24 morning" in JSON and by language models.
    """

    day: date | None = None
    time: time | None = None
    part: Part | None = None

    @classmethod
    def at(cls, when: datetime) -> Moment:
        """The moment of a local date and time."""
        return cls(when.date(), when.time().replace(second=0, microsecond=0, tzinfo=None))

    @classmethod
    def read(cls, text: str) -> Moment:
        """Read what `str` writes; ValueError for anything else."""
        match = _ISO.fullmatch(text.strip())
        if not text.strip() or match is None:
            raise ValueError("a day or time is written like 2026-11-24T10:00, 2026-11-24 or 2026-11-24 morning")
        day, hour, part = match["day"], match["time"], match["part"]
        return cls(date.fromisoformat(day) if day else None, time.fromisoformat(hour) if hour else None, PARTS.get(part or ""))

    def __str__(self) -> str:
        day = self.day.isoformat() if self.day else ""
        hour = f"{'T' if day else ''}{self.time:%H:%M}" if self.time else ""
        return f"{day}{hour} {self.part}".strip() if self.part else day + hour

    def allows(self, when: datetime | Moment) -> bool:
        """Whether `when` meets all that is said here: "Tuesday morning" allows Tuesday at ten."""
        other = Moment.at(when) if isinstance(when, datetime) else when
        if (self.day and self.day != other.day) or (self.time and self.time != other.time):
            return False
        if not self.part or other.time is None:
            return self.part == other.part if self.part and other.part else True
        first, end = _HOURS[self.part]
        return first <= other.time.hour < end

    def over(self, known: Moment | None) -> Moment:
        """This, with what it leaves unsaid taken from what is known: "Wednesday" over Tuesday at ten is Wednesday at ten."""
        if known is None:
            return self
        hour = self.time or (None if self.part else known.time)
        return Moment(self.day or known.day, hour, self.part or (None if hour else known.part))

    def said(self, now: datetime) -> str:
        """In words, as seen from `now`: "Tuesday the 24th at 10"."""
        parts = [say_day(self.day, now)] if self.day else []
        if self.time:
            parts.append(f"at {say_time(self.time)}")
        elif self.part:
            parts.append(f"in the {self.part}")
        return " ".join(parts)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            _moment, serialization=core_schema.plain_serializer_function_ser_schema(str, when_used="json")
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "description": "2026-11-24T10:00, 2026-11-24 or 2026-11-24 morning"}


def _moment(value: Any) -> Moment:
    match value:
        case Moment():
            return value
        case datetime():
            return Moment.at(value)
        case date():
            return Moment(value)
        case str():
            return Moment.read(value)
    raise ValueError("that is no day or time")


# ── Saying ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def say_day(day: date, now: datetime) -> str:
    """ "today", "tomorrow", "Tuesday the 24th", or with its month where it is more than two weeks away."""
    away = (day - now.date()).days
    if away in (0, 1):
        return ("today", "tomorrow")[away]
    text = f"{day:%A} the {numbers.figure_ordinal(day.day)}"
    return text if 0 < away <= 14 else f"{text} of {day:%B}"


def say_time(hour: time) -> str:
    """ "10", "2:30", "noon"; with am or pm only where the bare hour would be heard as another one."""
    if hour == time(12):
        return "noon"
    figure = hour.hour % 12 or 12
    text = f"{figure}:{hour.minute:02}" if hour.minute else f"{figure}"
    usual = _as_business(figure)
    return text if usual == hour.hour else f"{text} {'am' if hour.hour < 12 else 'pm'}"


def say_moments(moments: Sequence[Moment], now: datetime) -> str:
    """Several at once, each day named once: "Tuesday the 24th at 9, 10 or 2:30"."""
    said: list[str] = []
    day = None
    for moment in moments:
        same = moment.day == day and moment.time is not None and bool(said)
        said.append(say_time(moment.time) if same and moment.time else moment.said(now))
        day = moment.day
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} or {said[-1]}" if said else ""


# ── Hearing ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def find_moment(words: Sequence[str], now: datetime, *, bare: bool = False) -> tuple[Moment, frozenset[int]] | None:
    """The day and time that `words` (normalised) speak of, and the places of the words that said so.

    `bare`: a lone number may be an hour, since a time was asked for. Only the first day, time and part are taken.
    """
    found, used, place = Moment(), set[int](), 0
    while place < len(words):
        read = _read(words, place, now, found, bare=bare)
        if read is None:
            place += 1
            continue
        moment, end = read
        used.update(range(place, end))
        found, place = moment, end
    if found == Moment():
        return None
    for at in reversed(range(len(words) - 1)):
        if words[at] in _JOINING and at + 1 in used:
            used.add(at)
    return _settled(found), frozenset(used)


def _read(words: Sequence[str], at: int, now: datetime, found: Moment, *, bare: bool) -> tuple[Moment, int] | None:
    """What begins at `at`, put into what was found so far, and the place behind it."""
    if found.day is None and (day := _day(words, at, now)):
        part = "evening" if words[at] == "tonight" else found.part
        return replace(found, day=day[0], part=part), day[1]
    if found.part is None and words[at] in PARTS and words[at - 1 : at] != ["good"]:
        return replace(found, part=PARTS[words[at]]), at + 1
    if found.time is None:
        after_at = at > 0 and words[at - 1] in ("at", "around", "about")
        after_day = (
            at > 0 and found.day is not None and (words[at - 1] in WEEKDAYS or words[at - 1] in ("today", "tomorrow", *PARTS))
        )
        if clock := _clock(words, at, loose=bare or after_at or after_day):
            return replace(found, time=clock[0]), clock[1]
    return None


def _settled(found: Moment) -> Moment:
    """Let the part of the day decide between morning and evening, where both are said."""
    if found.time and found.part:
        return Moment(found.day, found.time.replace(hour=found.time.hour % 12 + (0 if found.part == "morning" else 12)))
    return found


def _day(words: Sequence[str], at: int, now: datetime) -> tuple[date, int] | None:
    today, word = now.date(), words[at]
    if word in ("today", "tonight"):
        return today, at + 1
    if word == "tomorrow":
        return today + timedelta(1), at + 1
    if list(words[at : at + 3]) == ["day", "after", "tomorrow"]:
        return today + timedelta(2), at + 3
    if word == "next" and at + 1 < len(words) and words[at + 1] in WEEKDAYS:
        monday = today - timedelta(today.weekday())
        return monday + timedelta(7 + WEEKDAYS.index(words[at + 1])), at + 2
    if word in WEEKDAYS:
        day = today + timedelta((WEEKDAYS.index(word) - today.weekday() - 1) % 7 + 1)
        return _with_number(words, at + 1, day, today)
    return _date(words, at, today)


def _with_number(words: Sequence[str], at: int, day: date, today: date) -> tuple[date, int]:
    """ "tuesday the 24th": the number decides, where it is said and falls on that weekday."""
    start = at + 1 if words[at : at + 1] == ["the"] else at
    numbered = _date(words, start, today)
    if numbered and numbered[0].weekday() == day.weekday():
        return numbered
    return day, at


def _date(words: Sequence[str], at: int, today: date) -> tuple[date, int] | None:
    """ "third of may", "may third", "may 3", "24th"."""
    if at < len(words) and words[at] in MONTHS:
        start = at + 2 if words[at + 1 : at + 2] == ["the"] else at + 1
        number = numbers.ordinal(words, start) or numbers.cardinal(words, start)
        return _dated(number[0], MONTHS.index(words[at]) + 1, today, number[1]) if number else None
    number = numbers.ordinal(words, at)
    if number is None:
        return None
    end = number[1] + 1 if words[number[1] : number[1] + 1] == ["of"] else number[1]
    if words[end : end + 1] and words[end] in MONTHS:
        return _dated(number[0], MONTHS.index(words[end]) + 1, today, end + 1)
    figure = words[at][0].isdecimal() or (
        at > 0 and words[at - 1] == "the" and words[number[1] : number[1] + 1] not in (["one"], ["part"])
    )
    return _dated(number[0], None, today, number[1]) if figure else None


def _dated(day: int, month: int | None, today: date, end: int) -> tuple[date, int] | None:
    """The next date with that number, in that month or in the next one that has it; None where there is none."""
    for ahead in range(14):
        year, index = divmod(today.year * 12 + today.month - 1 + ahead, 12)
        if month not in (None, index + 1):
            continue
        try:
            found = date(year, index + 1, day)
        except ValueError:
            continue
        if found >= today:
            return found, end
    return None


def _clock(words: Sequence[str], at: int, *, loose: bool) -> tuple[time, int] | None:
    """ "ten", "ten thirty", "half past two", "quarter to three", "two pm", "noon"; a lone number only where `loose`."""
    word = words[at]
    if word in ("noon", "midday"):
        return time(12), at + 1
    if word in ("half", "quarter") and words[at + 1 : at + 2] and words[at + 1] in ("past", "to", "after", "of"):
        hour = numbers.cardinal(words, at + 2)
        minutes = 30 if word == "half" else 15
        return _near(hour, minutes if words[at + 1] in ("past", "after") else -minutes, words) if hour else None
    hour = numbers.cardinal(words, at)
    if hour is None or hour[0] > 23:
        return None
    end, minutes, sure = hour[1], 0, loose
    if words[end : end + 1] == ["oclock"]:
        end, sure = end + 1, True
    else:
        minute = numbers.cardinal(words, end)
        if minute and 10 <= minute[0] < 60:
            end, minutes = minute[1], minute[0]
    return _near((hour[0], end), minutes, words) if sure or _half(words, end) else None


def _half(words: Sequence[str], at: int) -> tuple[str, int] | None:
    """ "am" or "pm" and the place behind it."""
    for half in ("am", "pm"):
        if words[at : at + 1] == [half]:
            return half, at + 1
        if list(words[at : at + 2]) == list(half):
            return half, at + 2
    return None


def _near(hour: tuple[int, int], minutes: int, words: Sequence[str]) -> tuple[time, int] | None:
    """The time `minutes` after the hour that was read, on the half of the day that is said or usual."""
    figure, end = hour
    if figure > 23:
        return None
    if half := _half(words, end):
        figure, end = figure % 12 + (12 if half[0] == "pm" else 0), half[1]
    else:
        figure = _as_business(figure)
    total = (figure * 60 + minutes) % (24 * 60)
    return time(total // 60, total % 60), end


def _as_business(figure: int) -> int:
    """The hour that a bare figure means."""
    return figure + 12 if 1 <= figure <= 6 else figure
