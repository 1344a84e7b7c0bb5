"""Each OpenID provider: whether it can be reached from here, and is who it says."""

from __future__ import annotations

import asyncio

from server.doctor.finding import Finding, fault, fine
from server.errors import Unavailable
from server.openid.client import Client, clients
from server.settings import Settings


async def look(settings: Settings) -> list[Finding]:
    """Return what is wrong with each provider of the settings."""
    async with clients(settings.oidc, settings.address) as found:
        return list(await asyncio.gather(*(_one(client) for client in found.values())))


async def _one(client: Client) -> Finding:
    subject = f"OpenID provider {client.provider.name}"
    try:
        await client.look()
    except Unavailable:
        return fault(subject, f"{client.trouble}. Nobody can log in by it until then.")
    return fine(subject, f"answers as {client.provider.issuer}; it must know the address {client.redirect_uri}")
