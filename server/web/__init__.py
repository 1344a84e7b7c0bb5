"""HTTP and WebSocket: reads requests, calls actions to write and storage to read, and answers."""
