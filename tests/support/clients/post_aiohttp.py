"""aiohttp, in whichever environment has it."""

import asyncio
import sys
from pathlib import Path

import aiohttp


async def main(address: str, photo: bytes) -> None:
    """Post the photo in a form and by itself, and print the answers."""
    form = aiohttp.FormData()
    form.add_field("image", photo, filename="photo.jpg", content_type="image/jpeg")
    async with aiohttp.ClientSession() as session:
        for body, headers in ((form, {}), (photo, {"Content-Type": "image/jpeg"})):
            async with session.post(address, data=body, headers=headers) as answer:
                print(await answer.text())


asyncio.run(main(sys.argv[1], Path(sys.argv[2]).read_bytes()))
