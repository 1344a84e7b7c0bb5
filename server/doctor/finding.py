"""What a check found: a grade, what was looked at, and a sentence that says what is wrong and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# A fault loses data, locks people out or lets strangers in; a warning is what an operator should know.
Grade = Literal["fine", "warning", "fault"]


@dataclass(frozen=True, slots=True)
class Finding:
    grade: Grade
    subject: str
    sentence: str


def fine(subject: str, sentence: str) -> Finding:
    return Finding("fine", subject, sentence)


def warning(subject: str, sentence: str) -> Finding:
    return Finding("warning", subject, sentence)


def fault(subject: str, sentence: str) -> Finding:
    return Finding("fault", subject, sentence)
