"""Whether an answer may be sent compressed. Knows no answer."""

from __future__ import annotations


def takes_gzip(accepted: str) -> bool:
    """Say whether the header Accept-Encoding (RFC 9110, 12.5.3) names gzip, and not to refuse it."""
    for offer in accepted.split(","):
        coding, _, weight = offer.partition(";")
        if coding.strip().lower() in ("gzip", "x-gzip"):
            return weight.replace(" ", "").rstrip("0").lower() not in ("q=", "q=0.")
    return False
