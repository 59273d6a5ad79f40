"""Ports of this machine, and waits for the servers on them."""
import socket
import time
import urllib.request


def free_port():
    """Returns a port on which nothing listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for_answer(url, pause=0.02):
    """Waits until GET `url` answers 200, for at most 10 s. Asks again after `pause` seconds."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(url):
                return
        except OSError:  # No connection, or another status.
            time.sleep(pause)
    raise SystemExit(f"{url} does not answer 200")
