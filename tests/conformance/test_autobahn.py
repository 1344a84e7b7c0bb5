"""The Autobahn test suite against our protocol class, with and without compression."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from kosoku import FailureError, run_fuzzingclient

from tests.processes import ROOT

# Two readings of RFC 6455 are allowed there: a text that is no UTF-8 may be refused once its frame is whole.
NOT_STRICT = {"6.4.3", "6.4.4"}
# An offer that asks the server for a smaller window is declined (RFC 7692, 7.1.2.1): the frame is one for all.
DECLINED = {f"13.{group}.{case}" for group in (3, 5) for case in range(1, 19)}
# Megabytes in many pieces, for minutes: what they show is shown by the smaller ones as well.
LONG = ["9.*", "12.*", "13.1.*", "13.2.*", "13.4.*", "13.6.*", "13.7.*"]
# Of each kind of message a short run.
SHORT_OF_THEM = ["9.1.1", "9.1.2", "9.2.1", "9.3.1", "9.5.1", "9.7.1", "13.7.3"]


@pytest.fixture(scope="module")
def echo() -> Iterator[str]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.conformance.echo", "--port", "0"], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        yield f"ws://127.0.0.1:{int(process.stdout.readline())}"
        process.terminate()


# The suite reads its files and leaves them open.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("cases", "without"), [(["*"], LONG), (SHORT_OF_THEM, [])], ids=["all that are short", "some that are long"]
)
async def test_no_case_fails(echo: str, cases: list[str], without: list[str]) -> None:
    try:
        results = await run_fuzzingclient(echo, cases, without, concurrency=2)
    except FailureError as error:
        results = error.results
    said = {result.case_id: (result.behavior.value, result.behavior_close.value) for result in results}
    assert len(said) >= len(cases)
    assert {case for case, (behavior, _) in said.items() if behavior == "UNIMPLEMENTED"} <= DECLINED
    assert {case for case, (behavior, _) in said.items() if behavior == "NON-STRICT"} <= NOT_STRICT
    taken = {"OK", "INFORMATIONAL", "NON-STRICT", "UNIMPLEMENTED"}
    assert {case: one for case, one in said.items() if one[0] not in taken or one[1] not in taken} == {}
