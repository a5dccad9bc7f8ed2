"""user.py FOLDER: Gajim 1.x, the program as Debian packages it, with standard input in its user's place.

It runs whole, window and all, on whatever display there is. Lines of JSON come in and go out: the first tells the
account, every other presses what a person would press, and what a person would see is told as an event.
"""

import json
import os
import pathlib
import sys

sys.dont_write_bytecode = True

folder = pathlib.Path(sys.argv[1])
events = os.fdopen(os.dup(1), "w")  # what Gajim itself prints goes with its log
os.dup2(2, 1)
job = json.loads(sys.stdin.readline())

import gi

for name, version in (("Gtk", "3.0"), ("GtkSource", "4"), ("Gdk", "3.0")):
    gi.require_version(name, version)

from gi.repository import Gio, GLib
from nbxmpp.const import ConnectionProtocol, ConnectionType
from nbxmpp.namespaces import Namespace
from nbxmpp.protocol import JID
from nbxmpp.structs import IBBData

from gajim.common import app, ged
from gajim.common.file_props import FilesProp
from gajim.common.jingle_ft import JingleFileTransfer
from gajim.gtk.application import GajimApplication

ACCOUNT = "interop"


def say(event, **more):
    print(json.dumps({"event": event, **more}), file=events, flush=True)


def file_of(props):
    return {"sid": props.sid, "name": props.name, "size": props.size, "algorithm": props.algo, "hash": props.hash_,
            "date": props.date}


class User:
    def __init__(self):
        self.windows = None
        self.buffer = b""
        self.is_online = False

    def begin(self):
        """Runs once the main window stands."""
        if not getattr(app, "window", None) or not app.interface:
            return True
        self.windows = app.interface.instances["file_transfers"]
        for name, report in {
            "account-connected": self.online, "file-request-received": self.offered,
            "file-progress": self.progress, "file-completed": self.completed, "file-hash-error": self.corrupt,
            "file-error": self.failed, "file-send-error": self.failed, "file-request-error": self.failed,
            "jingle-error-received": self.ended, "jingle-disconnected-received": self.ended,
            "jingle-ft-cancelled-received": self.ended,
        }.items():
            app.ged.register_event_handler(name, ged.POSTGUI, report)
        app.cert_store.add_certificate(Gio.TlsCertificate.new_from_file(job["certificate"]))  # as its dialog would
        for name, value in {"use_keyring": False, "file_transfers_port": job["port"],
                            "notify_on_file_complete": False}.items():
            app.settings.set_app_setting(name, value)
        user, domain = job["account"].split("@")
        server = (job["host"], ConnectionProtocol.TCP, ConnectionType.START_TLS)
        app.app.create_account(ACCOUNT, user, domain, job["password"], None, server)
        for name, value in job["settings"].items():
            app.settings.set_account_setting(ACCOUNT, name, value)
        app.app.enable_account(ACCOUNT)
        GLib.unix_fd_add_full(GLib.PRIORITY_DEFAULT, 0, GLib.IOCondition.IN | GLib.IOCondition.HUP, self.read)
        return False

    # --- what it sees -------------------------------------------------------------------------------------------------

    def online(self, event):
        if not self.is_online:
            self.is_online = True
            say("online", jid=str(app.get_client(ACCOUNT).get_own_jid()))

    def offered(self, event):
        say("offered", **file_of(event.file_props), description=event.file_props.desc)

    def progress(self, event):
        say("progress", sid=event.file_props.sid, bytes=event.file_props.received_len)

    def completed(self, event):
        say("completed", **file_of(event.file_props))

    def corrupt(self, event):
        say("corrupt", **file_of(event.file_props))

    def failed(self, event):
        say("session", kind=event.name, sid=event.file_props.sid, reason=f"error {event.file_props.error}")

    def ended(self, event):
        say("session", kind=event.name, sid=event.sid, reason=event.reason)

    # --- what it does -------------------------------------------------------------------------------------------------

    def read(self, descriptor, condition):
        data = os.read(descriptor, 65536)
        if not data:
            app.app.start_shutdown()
            GLib.timeout_add(500, os._exit, 0)  # should the server not answer its farewell
            return False
        *lines, self.buffer = (self.buffer + data).split(b"\n")
        for line in lines:
            request = json.loads(line)
            try:
                getattr(self, request.pop("command"))(**request)
            except Exception as error:
                say("error", message=f"{type(error).__name__}: {error}")
        return True

    def send(self, to, file, without=(), tries=100):
        """Offers the file to the account's first device that takes files, once its capabilities are known; as if
        these did not have the namespaces `without`."""
        contact = app.get_client(ACCOUNT).get_module("Contacts").get_contact(to)
        able = [each for each in contact.get_resources() if each.supports(Namespace.JINGLE_FILE_TRANSFER_5)]
        if not able:
            if tries == 0:
                return say("error", message=f"no device of {to} takes files")
            GLib.timeout_add(100, lambda: self.send(to, file, without, tries - 1) and False)
            return
        if without:
            supports = able[0].supports
            able[0].supports = lambda namespace: namespace not in without and supports(namespace)
        if not self.windows.send_file(ACCOUNT, contact, able[0].jid, file):
            say("error", message="Gajim would not send it")

    def accept(self, sid, file):
        props = FilesProp.getFileProp(ACCOUNT, sid)
        contact = app.get_client(ACCOUNT).get_module("Contacts").get_contact(JID.from_string(props.sender).bare)
        self.windows._start_receive(file, ACCOUNT, contact, props)  # what its file chooser calls

    def decline(self, sid):
        app.get_client(ACCOUNT).get_module("Bytestream").send_file_rejection(FilesProp.getFileProp(ACCOUNT, sid))

    def cancel(self, sid):
        self.windows.cancel_transfer(FilesProp.getFileProp(ACCOUNT, sid))


def mend():
    """Gajim 1.7.3 fails with a TypeError at every file that it is offered, since it asks for the file's properties
    before it makes them, and its library at every in-band bytestream, since it asks for the data of an open. All
    behind that works when it is given what it asks for."""
    IBBData.__new__.__defaults__ = (None, None, None)
    begin, offer = JingleFileTransfer.__init__, JingleFileTransfer._raise_event

    def begin_with_properties(self, session, file_props=None, **more):
        begin(self, session, file_props or FilesProp.getNewFileProp(ACCOUNT, session.sid), **more)

    def offer_and_keep(self, stanza, content):
        FilesProp.deleteFileProp(self.file_props)
        offer(self, stanza, content)
        self.file_props = self.transport.file_props
    JingleFileTransfer.__init__, JingleFileTransfer._raise_event = begin_with_properties, offer_and_keep


if job["mended"]:
    mend()
user = User()
GLib.timeout_add(50, user.begin)
GajimApplication().run(["gajim", "--config-path", str(folder), "--loglevel", "gajim=INFO"])
