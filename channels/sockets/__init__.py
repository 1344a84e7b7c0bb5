"""One connection each: frames, compression, pings, and the reader behind it. Knows no HTTP."""
