"""A thousand traces at once over HTTP: none is lost, and each has the answer to its own text."""

import asyncio
import json
import subprocess
import sys
from urllib.parse import urlsplit

import httpx
import pytest

#: A server process, and a project that is built once.
pytestmark = pytest.mark.slow

QUOTE = "l'ordre du jour appelle la discussion du projet de loi relatif à la ressource en eau"


@pytest.fixture
def url(built):
    words = [sys.executable, "-m", "hemicycle", "serve", "--project", str(built[0]), "--port", "0"]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    try:
        yield next(word for line in process.stderr for word in line.split() if word.startswith("http"))
    finally:
        process.terminate()
        process.communicate()


async def ask(url, texts):
    """The status and the answer to each; all connections are open before the first text is sent."""
    host = urlsplit(url)
    opened = await asyncio.gather(*(asyncio.open_connection(host.hostname, host.port) for _ in texts))

    async def one(text, reader, writer):
        body = json.dumps({"text": text}).encode()
        head = f"POST /v1/trace HTTP/1.1\r\nHost: {host.netloc}\r\nContent-Type: application/json\r\n"
        writer.write(f"{head}Connection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        top, _, content = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        return int(top.split()[1]), json.loads(content)

    return await asyncio.gather(*(one(text, *pair) for text, pair in zip(texts, opened, strict=True)))


def test_a_thousand_traces_at_once_are_all_answered_and_rightly(url):
    texts = [f"{'hors ' * number}{QUOTE if number % 2 else 'rien de cela'}" for number in range(1000)]
    answers = asyncio.run(ask(url, texts))
    assert {status for status, _ in answers} == {200}
    for number, (_, answer) in enumerate(answers):
        assert answer["words"] == number + (17 if number % 2 else 3)
        assert [span["text"] for span in answer["spans"]] == ([QUOTE] if number % 2 else [])
    alone = httpx.post(f"{url}/v1/trace", json={"text": texts[501]}, trust_env=False).json()
    assert answers[501][1] == alone
