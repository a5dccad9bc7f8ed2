"""A desktop without a screen, and Gajim on it."""

import contextlib
import json
import os
import pathlib
import socket
import subprocess

from processes import HERE, Failure, Program, running


@contextlib.contextmanager
def display():
    """A screen that nobody sees; yields its name."""
    reading, writing = os.pipe()
    with os.fdopen(reading) as names:
        # 24 bits, or GTK has no visual with an alpha channel.
        command = ["Xvfb", "-displayfd", writing, "-screen", "0", "800x600x24", "-nolisten", "tcp"]
        with running(command, pass_fds=[writing], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                     stderr=subprocess.DEVNULL):
            os.close(writing)
            if not (name := names.readline().strip()):
                raise Failure("Xvfb: did not start")
            yield f":{name}"


@contextlib.contextmanager
def gajim(account, servers, screen, folder, mended, settings):
    """Gajim signed in to the account with these account settings, all it writes in `folder`; yields a Program.

    As Debian has it, it cannot receive files: see user.py on what is `mended`.
    """
    folder.mkdir(parents=True)
    # Gajim trusts the one certificate that its user accepted, for this server; nothing else's trust is touched.
    job = {"account": account, "host": servers["RIG_HOST"], "password": servers["RIG_PASSWORD"], "port": free_port(),
           "certificate": str(pathlib.Path(servers["RIG_DIR"]) / "server.crt"), "settings": settings, "mended": mended}
    # No session bus: nothing of the desktop that this may be run on is asked or told.
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "DISPLAY": screen, "GDK_BACKEND": "x11",
                   "LANG": "C.UTF-8", "NO_AT_BRIDGE": "1", "DBUS_SESSION_BUS_ADDRESS": "disabled:"}
    # Debian's packages are for Debian's Python, which may not be the first in PATH.
    command = ["/usr/bin/python3", HERE / "gajim" / "user.py", folder / "profile"]
    (folder / "profile").mkdir()
    with open(folder / "gajim.log", "w") as log:
        with running(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
                     env=environment) as process:
            process.stdin.write(json.dumps(job) + "\n")
            process.stdin.flush()
            program = Program(process, "Gajim")
            program.events.expect("online", 30)
            try:
                yield program
            finally:  # it signs off: what the server keeps of those who do not is asked in vain by the next case
                with contextlib.suppress(subprocess.TimeoutExpired, BrokenPipeError):
                    process.stdin.close()
                    process.wait(5)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
