"""Lines for the operator."""

from __future__ import annotations

import json
import logging
import sys

from server import logs


def test_a_line_is_one_json_object_with_the_request_in_whose_course_it_was_logged() -> None:
    token = logs.request_id.set("a-request")
    try:
        try:
            raise ValueError("over\ntwo lines")
        except ValueError:
            record = logging.LogRecord("livethread.x", logging.ERROR, "x.py", 1, "it %s", ("failed\n",), sys.exc_info())
        line = logs.JsonLines().format(record)
    finally:
        logs.request_id.reset(token)
    assert "\n" not in line
    said = json.loads(line)
    assert said["message"] == "it failed\n"
    assert said["request"] == "a-request"
    assert said["level"] == "error"
    assert "over\ntwo lines" in said["traceback"]
    assert said["time"].endswith("Z")
