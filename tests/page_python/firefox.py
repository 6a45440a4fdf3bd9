"""Firefox, driven by its own WebDriver BiDi: the little of it that the tests need.

Playwright brings a Firefox of its own, but cannot drive the one that a system has.
"""

import itertools
import json
import re
import subprocess
import time
from contextlib import contextmanager

import websocket
from browser import FIREFOX


class Page:
    """A page of a running Firefox."""

    def __init__(self, socket):
        self.socket = socket
        self.number = itertools.count(1)
        self.ask("session.new", capabilities={})
        self.context = self.ask("browsingContext.getTree")["contexts"][0]["context"]

    def ask(self, method, **params):
        """Send a command, and return its result."""
        number = next(self.number)
        self.socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            answer = json.loads(self.socket.recv())
            if answer.get("id") == number:
                if answer["type"] == "error":
                    raise RuntimeError(f"{method}: {answer['message']}")
                return answer["result"]

    def goto(self, address):
        self.ask("browsingContext.navigate", context=self.context, url=address, wait="complete")

    def evaluate(self, expression):
        """The value of an expression of JavaScript, a text, number, boolean or null."""
        answer = self.ask(
            "script.evaluate",
            expression=expression,
            target={"context": self.context},
            awaitPromise=True,
        )
        if answer["type"] == "exception":
            raise RuntimeError(answer["exceptionDetails"]["text"])
        return answer["result"].get("value")


@contextmanager
def firefox(folder):
    """A `Page` of a new Firefox, whose profile is an empty folder."""
    command = [FIREFOX, "--headless", "--no-remote", "--profile", folder]
    log = (folder / "log.txt").open("w+")
    process = subprocess.Popen([*command, "--remote-debugging-port=0"], stdout=log, stderr=log)
    try:
        for _ in range(600):
            log.seek(0)
            if found := re.search(r"WebDriver BiDi listening on (ws://\S+)", log.read()):
                break
            time.sleep(0.1)
        else:
            log.seek(0)
            raise RuntimeError(f"Firefox does not answer: {log.read()[-500:]}")
        address = f"{found[1]}/session"
        socket = websocket.create_connection(address, timeout=120, suppress_origin=True)
        yield Page(socket)
        socket.close()
    finally:
        process.terminate()
        process.wait(30)
        log.close()
