"""The only changes of state. Knows no Starlette."""
