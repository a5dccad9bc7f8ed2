"""The programs of an interop run: each is a scope that ends what it started, by its id."""

import contextlib
import http.server
import itertools
import json
import os
import pathlib
import queue
import signal
import subprocess
import tempfile
import threading
import time
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent


class Failure(Exception):
    """Something did not happen, or not in time."""


class Events:
    """What a program reports, in order: one thread adds, another awaits."""

    def __init__(self, who):
        self.who = who
        self.all = []
        self.closed = False
        self._changed = threading.Condition()

    def add(self, event):
        with self._changed:
            self.all.append(event)
            self._changed.notify_all()

    def close(self):
        with self._changed:
            self.closed = True
            self._changed.notify_all()

    def named(self, name):
        return [event for event in self.all if event.get("event") == name]

    def expect(self, name, seconds, count=1, **more):
        """The event of that name, and with these values, that comes as number `count`; fails after `seconds`, at an
        error, or when no more events can come."""
        def matching():
            return [event for event in self.named(name) if all(event.get(key) == more[key] for key in more)]

        def happened():
            return len(matching()) >= count or self.named("error") or self.closed
        with self._changed:
            self._changed.wait_for(happened, timeout=seconds)
        if len(found := matching()) >= count:
            return found[count - 1]
        name = " ".join([name, *(f"{key}={value}" for key, value in more.items())])
        if errors := self.named("error"):
            raise Failure(f"{self.who}: {errors[0].get('message')}")
        raise Failure(f"{self.who}: " + (f"ended without {name}" if self.closed else f"no {name} within {seconds} s"))


@contextlib.contextmanager
def running(arguments, **options):
    """A process in a group of its own, which is ended at the end of the scope, or when this process dies."""
    command = ["setpriv", "--pdeathsig", "TERM", "--", *map(str, arguments)]
    process = subprocess.Popen(command, start_new_session=True, **options)
    try:
        yield process
    finally:
        if process.stdin:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
        with contextlib.suppress(ProcessLookupError):
            if process.poll() is None:
                process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # what is left of it
        process.wait()


@contextlib.contextmanager
def rig(folder, **environment):
    """Prosody and coturn by Tools/rig; yields its NAME=value lines."""
    with open(folder / "rig.log", "w") as log:
        with running([ROOT / "Tools/rig", folder / "rig"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                     stderr=log, text=True, env={**os.environ, **environment}) as process:
            lines = itertools.takewhile(lambda line: line.strip(), process.stdout)
            values = dict(line.strip().split("=", 1) for line in lines)
            if "RIG_WEBSOCKET" not in values:
                raise Failure("the servers did not start: " + (folder / "rig.log").read_text().strip())
            yield values


class Program:
    """One that tells its events and takes commands as lines of JSON, as `carillon --json` does."""

    def __init__(self, process, who):
        self.events = Events(who)
        self.process = process
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.events.add({**json.loads(line), "at": time.monotonic()})
        self.events.close()

    def command(self, command, **more):
        """Asks something of it while it runs."""
        self.process.stdin.write(json.dumps({"command": command, **more}) + "\n")
        self.process.stdin.flush()

    def exit_code(self, seconds):
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.events.who}: did not end within {seconds} s") from None
        self._reader.join(5)
        return code


@contextlib.contextmanager
def carillon(program, arguments, account, servers, log):
    command = [program, *arguments, "--json", "--log-level", "info", "--account", account,
               "--host", servers["RIG_HOST"], "--ca-file", servers["RIG_CA_FILE"]]
    environment = dict(os.environ, CARILLON_PASSWORD=servers["RIG_PASSWORD"])
    with open(log, "w") as errors:
        with running(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True,
                     env=environment) as process:
            yield Program(process, "carillon")


class PageServer:
    """Serves the peer's page on loopback, gives each page its job, and collects what it reports."""

    def __init__(self, translate):
        """`translate` turns what a page posts to /sdp into what it is answered, both JSON objects."""
        self.jobs = {}
        self.events = {}
        self.commands = {}
        self.translate = translate

    @contextlib.contextmanager
    def serving(self):
        pages = self

        class Handler(http.server.SimpleHTTPRequestHandler):
            extensions_map = {".html": "text/html", ".js": "text/javascript"}

            def __init__(self, *arguments):
                super().__init__(*arguments, directory=HERE / "peer")

            def page(self):
                return urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query).get("page", [""])[0]

            def answer(self, body):
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                if self.path.startswith("/command"):
                    with contextlib.suppress(queue.Empty, KeyError):
                        return self.answer(json.dumps(pages.commands[self.page()].get(timeout=20)).encode())
                    self.send_response(204)
                    return self.end_headers()
                if not self.path.startswith("/job"):
                    return super().do_GET()
                self.answer(json.dumps(pages.jobs.get(self.page(), {})).encode())

            def do_POST(self):
                event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if self.path.startswith("/sdp"):
                    return self.answer(json.dumps(pages.translate(event)).encode())
                if events := pages.events.get(self.page()):
                    events.add({**event, "at": time.monotonic()})
                self.answer(b"")

            def log_message(self, *arguments):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{server.server_port}/"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()

    @contextlib.contextmanager
    def page(self, job, folder, document=""):
        """A Chromium of its own that does the job; yields its events, whose `command` asks more of it."""
        name = str(len(self.jobs) + 1)
        self.jobs[name] = job
        events = self.events[name] = Events("Chromium")
        asked = self.commands[name] = queue.SimpleQueue()
        events.command = lambda command, **more: asked.put({"command": command, **more})
        flags = [
            "--headless=new", "--no-sandbox",  # only our own page is ever open
            "--disable-gpu", "--disable-dev-shm-usage",
            "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--disable-extensions", "--disable-breakpad", "--no-proxy-server",
            "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
            "--autoplay-policy=no-user-gesture-required", "--disable-background-timer-throttling",
            "--disable-renderer-backgrounding", "--disable-backgrounding-occluded-windows",
            "--allow-loopback-in-peer-connection", "--disable-features=WebRtcHideLocalIpsWithMdns",
        ]
        # Chromium makes a socket in its home, whose path may have 108 bytes and no more.
        with (tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as home,
              open(folder / f"chromium-{name}.log", "w") as log):
            environment = dict(os.environ, HOME=home, TMPDIR=home)
            command = ["chromium", f"--user-data-dir={home}/profile", *flags, f"{self.address}{document}?page={name}"]
            with running(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment):
                yield events
