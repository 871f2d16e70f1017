"""asyncio.gather over one aiohttp session: URL, requests, at once. Prints the seconds that the requests took."""

import asyncio
import sys
import time

import aiohttp


async def main(url: str, requests: int, at_once: int) -> None:
    places = asyncio.Semaphore(at_once)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=at_once)) as session:

        async def fetch(number: int) -> bytes:
            async with places, session.get(f"{url}?{number}") as response:
                assert response.status == 200
                return await response.read()

        started = time.perf_counter()
        bodies = await asyncio.gather(*(fetch(number) for number in range(requests)))
        assert all(bodies)
        print(time.perf_counter() - started)


asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
