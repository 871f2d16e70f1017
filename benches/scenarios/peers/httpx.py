"""asyncio.gather over one httpx client: URL, requests, at once. Prints the seconds that the requests took."""

import asyncio
import sys
import time

import httpx


async def main(url: str, requests: int, at_once: int) -> None:
    places = asyncio.Semaphore(at_once)
    limits = httpx.Limits(max_connections=at_once, max_keepalive_connections=at_once)
    async with httpx.AsyncClient(limits=limits, timeout=60, trust_env=False) as client:

        async def fetch(number: int) -> bytes:
            async with places:
                response = await client.get(f"{url}?{number}")
            assert response.status_code == 200
            return response.content

        started = time.perf_counter()
        bodies = await asyncio.gather(*(fetch(number) for number in range(requests)))
        assert all(bodies)
        print(time.perf_counter() - started)


asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
