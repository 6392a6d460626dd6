"""Models that stay warm between commands: who asks a server (standard library only, so that asking costs nothing), and the server."""
