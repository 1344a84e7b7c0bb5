"""`python -m server`: the command line, for processes that this program starts."""

from server.cli import run

if __name__ == "__main__":
    run()
