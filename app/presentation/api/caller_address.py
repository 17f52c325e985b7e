"""The address of a caller, who may be behind proxies."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from starlette.types import Scope

Network = IPv4Network | IPv6Network
_LOOPBACK: Final = ip_address("127.0.0.1")
_ONE_CALLER: Final = 64  # bits of the IPv6 network that a provider gives to one customer


class CallerAddress:
    """Finds the address that a request comes from.

    `X-Forwarded-For` is read from its end, where the nearest proxy wrote, and only as far as trusted proxies wrote it.
    """

    def __init__(self, trusted: Sequence[Network] = ()) -> None:
        self._trusted = trusted

    def __call__(self, scope: Scope) -> str:
        """The address as text; of an IPv6 address, its network of 64 bits."""
        forwarded = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
        hops = [_parse(entry) for line in forwarded for entry in line.decode("latin-1").split(",")]
        client = scope.get("client")
        address = _parse(client[0]) if client else _LOOPBACK  # no client: a Unix socket
        by_others = [hop for hop in hops if hop != _LOOPBACK]
        if by_others and address == by_others[-1]:
            address = (
                _LOOPBACK  # uvicorn put this entry in the place of a peer on the loopback, which it trusts
            )
        while address is not None and hops and any(address in network for network in self._trusted):
            nearest = hops.pop()
            if nearest is None:
                break
            address = nearest
        if isinstance(address, IPv6Address):
            return str(ip_network((address, _ONE_CALLER), strict=False))
        return str(address)


def _parse(entry: str) -> IPv4Address | IPv6Address | None:
    """An address, also with a port or in brackets; None for other texts."""
    text = entry.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
