"""The usual ways in Python: on the text `go` from anybody, one frame to everybody."""

from __future__ import annotations

import asyncio
import socket
import sys

import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.server import ServerConnection, broadcast, serve

FRAME = "x" * 596


def starlette_loop(listener: socket.socket) -> None:
    """`await send_text` for each in turn, as the documentation of every framework shows it."""
    readers: set[WebSocket] = set()

    async def live(reader: WebSocket) -> None:
        await reader.accept()
        readers.add(reader)
        try:
            while await reader.receive_text() == "go":
                for one in tuple(readers):
                    await one.send_text(FRAME)
        except WebSocketDisconnect:
            pass
        finally:
            readers.discard(reader)

    app = Starlette(routes=[WebSocketRoute("/live", live)])
    config = uvicorn.Config(app, loop="uvloop", log_level="error", ws_per_message_deflate=False)
    uvicorn.Server(config).run(sockets=[listener])


def websockets_broadcast(listener: socket.socket) -> None:
    async def main() -> None:
        async def live(reader: ServerConnection) -> None:
            async for message in reader:
                if message == "go":
                    broadcast(reader.server.connections, FRAME)

        async with serve(live, sock=listener, compression=None, ping_interval=None):
            await asyncio.Event().wait()

    asyncio.run(main())


if __name__ == "__main__":
    made = socket.create_server(("127.0.0.1", 0), backlog=4096)
    print(made.getsockname()[1], flush=True)
    {"starlette": starlette_loop, "broadcast": websockets_broadcast}[sys.argv[1]](made)
