"""Authentication of messages on Redis: access to Redis must not be enough to speak for the app."""

from __future__ import annotations

import hmac
import math
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable

import msgspec
from msgspec import Struct

from channels.messages import Change, Message

# Above the largest change that is sent, with room for its envelope.
MAX_BYTES = 512 * 1024
# Messages that change nothing lasting are taken this long after they were sent, by the clocks of two hosts.
FRESH_SECONDS = 60.0
SENDERS_KEPT = 256
_PURPOSE = b"livethread message on redis"
_MAC_BYTES = 32


class _Envelope(Struct, frozen=True, array_like=True):
    """`at`: when a change was committed, or anything else was sent, in seconds since 1970."""

    at: float
    sender: str
    number: int
    message: Message


_envelopes: msgspec.json.Decoder[_Envelope] = msgspec.json.Decoder(_Envelope)


class Forged(Exception):
    """A message that nobody sent who knows the secret, or that makes no sense."""


class Replayed(Exception):
    """A message that was heard before, or that is too old to be of use."""


class Seal:
    """Seals with the key of the first secret, opens with that of any: so secrets are changed without a gap.

    A change may be heard again at any time: an old one is dropped by its version. Everything else must be new: numbered
    by its sender above the last one, and sent within a minute.
    """

    def __init__(self, *given: str, clock: Callable[[], float] = time.time) -> None:
        self._keys = tuple(hmac.digest(secret.encode(), _PURPOSE, "sha256") for secret in given)
        self._clock = clock
        self._sender = secrets.token_hex(8)
        self._number = 0
        self._heard: OrderedDict[str, int] = OrderedDict()

    def close(self, channel: bytes, message: Message) -> bytes:
        """Return `message` as it travels on `channel`."""
        self._number += 1
        if isinstance(message, Change):
            at, frame = message.committed, message.frame
        else:
            at, frame = self._clock(), msgspec.json.encode(message)
        content = b'[%f,"%s",%d,%s]' % (at, self._sender.encode(), self._number, frame)
        return _mac(self._keys[0], channel, content) + content

    def open(self, channel: bytes, sealed: bytes) -> Message:
        """Return the message that came on `channel`. Raises Forged, Replayed."""
        if len(sealed) > MAX_BYTES:
            raise Forged("too large")
        mac, content = sealed[:_MAC_BYTES], sealed[_MAC_BYTES:]
        if not any(hmac.compare_digest(mac, _mac(key, channel, content)) for key in self._keys):
            raise Forged("not sealed with our secret")
        try:
            envelope = _envelopes.decode(content)
        except (msgspec.DecodeError, RecursionError) as error:
            raise Forged(str(error)) from None
        message = envelope.message
        if isinstance(message, Change):
            if not message.is_sound:
                raise Forged("a change that contradicts itself")
            message.__dict__["committed"] = envelope.at
        else:
            self._expect_new(envelope)
        return message

    def _expect_new(self, envelope: _Envelope) -> None:
        age = self._clock() - envelope.at
        if math.isnan(age) or abs(age) > FRESH_SECONDS or envelope.number <= self._heard.get(envelope.sender, 0):
            raise Replayed
        self._heard[envelope.sender] = envelope.number
        self._heard.move_to_end(envelope.sender)
        if len(self._heard) > SENDERS_KEPT:
            self._heard.popitem(last=False)


def _mac(key: bytes, channel: bytes, content: bytes) -> bytes:
    return hmac.digest(key, b"%d:%s%s" % (len(channel), channel, content), "sha256")
