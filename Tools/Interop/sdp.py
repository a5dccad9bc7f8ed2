"""What `carillon sdp` makes of a browser's descriptions."""

import collections
import json
import os
import pathlib
import re
import subprocess
import tempfile

SECONDS = 20  # the limit of each translation


class Translator:
    """Runs `carillon sdp` for a page."""

    def __init__(self, program):
        self.program = program

    def __call__(self, request):
        """`input`, and as text `role`, `sid`, `offer`, `credentials`; answered by `output` and `warnings`, or `failure`."""
        arguments = [self.program, "sdp"]
        with tempfile.TemporaryDirectory(prefix="carillon-sdp-") as folder:
            for name in ("role", "sid", "offer", "credentials"):
                if not (value := request.get(name)):
                    continue
                if name in ("offer", "credentials"):
                    path = pathlib.Path(folder) / name
                    path.write_bytes(value.encode())
                    value = str(path)
                arguments += [f"--{name}", value]
            try:
                result = subprocess.run(arguments, input=request["input"].encode(), capture_output=True,
                                        timeout=SECONDS, env=dict(os.environ, NO_COLOR="1"))
            except subprocess.TimeoutExpired:
                return {"failure": f"carillon sdp took more than {SECONDS} s"}
        warnings = result.stderr.decode().strip()
        if result.returncode != 0:
            return {"failure": f"carillon sdp, exit code {result.returncode}: {warnings}"}
        return {"output": result.stdout.decode(), "warnings": warnings.splitlines()}


# What may differ, and why. Everything else that a step's `after` lacks or has besides is a fault.
#
# - `o=`: its version counts one side's descriptions, and Jingle does not count.
# - `m=application`, in the group too: data channels are no RTP session, and `carillon sdp` says that it drops them.
# - `network-id` of a candidate: XEP-0176 §5.3 calls it `network`.
# - `network-cost` of a candidate: XEP-0176 has no word for the sender's own estimate, which libwebrtc repeats in its
#   checks.
# - `sdpMLineIndex` of a candidate: Jingle names contents, and `sdpMid` says the same.
# - `a=ssrc:… msid:…` besides: XEP-0339 has a stream's name at its sources; Chromium's answers have it at the m-line
#   only, and those of a track after the first too.
#
# Lines of one section are compared as a set: their order means nothing, and that of the payload types is in the m-line.


def differences(step):
    """What a step's `after` lacks of its `before` (`- line`) or has besides (`+ line`), section by section."""
    if step["what"].endswith("candidates"):
        return compare(browser_candidates(step["before"]), browser_candidates(step["after"]), "")
    before, after = sections(step["before"]), sections(step["after"])
    found = [] if len(before) == len(after) else [f"{len(before) - 1} m-lines became {len(after) - 1}"]
    for one, other in zip(before, after):
        streams = {line.removeprefix("a=") for line in one if line.startswith("a=msid:")}
        other = [line for line in other if line in one or not is_source_stream(line, streams)]
        found += compare(one, other, one[0] + ": " if one[0].startswith("m=") else "")
    return found


def sections(text):
    """A description's lines, those above the first m-line apart from those of each that is RTP."""
    lines = [normal(line) for line in re.split(r"\r?\n", text.strip())]
    starts = [index for index, line in enumerate(lines) if line.startswith("m=")]
    session, *media = [lines[start:end] for start, end in zip([0, *starts], [*starts, None])]
    left_out = {line.removeprefix("a=mid:") for section in media if section[0].startswith("m=application ")
                for line in section if line.startswith("a=mid:")}
    session = [" ".join(word for word in line.split(" ") if word not in left_out)
               if line.startswith("a=group:BUNDLE ") else line for line in session]
    return [session] + [section for section in media if not section[0].startswith("m=application ")]


def normal(line):
    if line.startswith("o="):
        return re.sub(r"^(o=\S+ \d+) \d+", r"\1", line)
    return normal_candidate(line) if line.startswith("a=candidate:") else line


def normal_candidate(text):
    return re.sub(r" network-id ", " network ", re.sub(r" network-cost \d+", "", text))


def is_source_stream(line, streams):
    return line.startswith("a=ssrc:") and line.partition(" ")[2] in streams


def browser_candidates(text):
    candidates = [json.loads(line) for line in text.splitlines()]
    return [json.dumps({**each, "sdpMLineIndex": None, "candidate": normal_candidate(each["candidate"])},
                       sort_keys=True) for each in candidates]


def complaints(step):
    """What `carillon sdp` says of a step that it should not have to say."""
    return [warning for warning in step["warnings"] if "m=application" not in warning and "rejects" not in warning]


def compare(before, after, where):
    before, after = collections.Counter(before), collections.Counter(after)
    return [f"{where}- {line}" for line in (before - after).elements()] + \
        [f"{where}+ {line}" for line in (after - before).elements()]
