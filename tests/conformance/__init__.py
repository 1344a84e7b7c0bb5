"""The protocol class behind an application that echoes, for test suites from outside."""
