// Jingle contents from SDP and back: XEP-0167 (§8 and payload types), 0176, 0293, 0294, 0320, 0338, 0339.
import { child, children, element } from "./xmpp.js";

export const jingleNS = {
  jingle: "urn:xmpp:jingle:1",
  rtp: "urn:xmpp:jingle:apps:rtp:1",
  rtpInfo: "urn:xmpp:jingle:apps:rtp:info:1",
  ice: "urn:xmpp:jingle:transports:ice-udp:1",
  dtls: "urn:xmpp:jingle:apps:dtls:0",
  feedback: "urn:xmpp:jingle:apps:rtp:rtcp-fb:0",
  extensions: "urn:xmpp:jingle:apps:rtp:rtp-hdrext:0",
  grouping: "urn:xmpp:jingle:apps:grouping:0",
  sources: "urn:xmpp:jingle:apps:rtp:ssma:0",
  category: "urn:xmpp:jingle:apps:category:0",
  message: "urn:xmpp:jingle-message:0",
  errors: "urn:xmpp:jingle:errors:1",
};
const j = jingleNS;

/** What an entity that does all this lists in its disco#info. */
export const features = [
  j.jingle, j.rtp, j.ice, j.dtls, j.feedback, j.extensions, j.grouping, j.sources, j.message,
  "urn:xmpp:jingle:apps:rtp:audio", "urn:xmpp:jingle:apps:rtp:video",
];

export const opposite = { initiator: "responder", responder: "initiator" };
const directions = ["sendrecv", "sendonly", "recvonly", "inactive"];

/** `senders` for a direction in the SDP of this side, and back. */
const sendersOf = (direction, side) =>
  ({ sendrecv: "both", sendonly: side, recvonly: opposite[side], inactive: "none" })[direction];
const directionOf = (senders, side) =>
  directions.find((each) => sendersOf(each, side) === (senders ?? "both"));

// --- SDP to Jingle ---------------------------------------------------------------------------------------------------

/** An SDP's session lines and media sections, each `{ value(key), values(key), has(key) }` over its attributes. */
function sections(sdp) {
  const [session, ...media] = sdp.split(/^(?=m=)/m).map((text) => {
    const lines = text.trim().split(/\r?\n/);
    const values = (key) =>
      lines.filter((line) => line.startsWith(`a=${key}:`)).map((line) => line.slice(key.length + 3));
    return { lines, values, value: (key) => values(key)[0], has: (key) => lines.includes(`a=${key}`) };
  });
  return { session, media };
}

const isRejected = (section) => section.lines[0].split(" ")[1] === "0" && !section.has("bundle-only");

/** The m-lines of an SDP: their mids, with what is on them and whether they are refused or removed. */
export const mediaLines = (sdp) => sections(sdp).media.map((section) => {
  const [kind, , , ...formats] = section.lines[0].slice(2).split(" ");
  return { name: section.value("mid"), kind, formats, isRejected: isRejected(section) };
});

/**
 * The contents of an SDP that `side` wrote, without candidates: those that `names` lists, or all.
 *
 * With `bare`, their transports are empty: that of the bundle counts for them.
 */
export function contentsFromSDP(sdp, side, { names, bare } = {}) {
  const { session, media } = sections(sdp);
  const wanted = media.filter((section) => !isRejected(section) && (!names || names.includes(section.value("mid"))));
  return wanted.map((section) => contentFromSection(section, session, side, bare));
}

/** The group that an SDP has, or undefined. */
export function groupFromSDP(sdp) {
  const bundle = sections(sdp).session.values("group").find((value) => value.startsWith("BUNDLE "));
  const names = bundle?.split(" ").slice(1) ?? [];
  const members = names.map((name) => element(j.grouping, "content", { name }));
  return names.length ? element(j.grouping, "group", { semantics: "BUNDLE" }, members) : undefined;
}

function contentFromSection(section, session, side, bare) {
  const [media, , , ...payloadTypes] = section.lines[0].slice(2).split(" ");
  const direction = directions.find((each) => section.has(each)) ?? "sendrecv";
  const description = element(j.rtp, "description", { media },
    payloadTypes.map((id) => payloadTypeFromSection(section, id)),
    feedbackFromSection(section, "*"),
    section.values("extmap").map((value) => {
      const [key, uri] = value.split(" ");
      const [id, way] = key.split("/");
      return element(j.extensions, "rtp-hdrext", { id, uri, senders: way && sendersOf(way, side) });
    }),
    session.has("extmap-allow-mixed") || section.has("extmap-allow-mixed")
      ? element(j.extensions, "extmap-allow-mixed") : undefined,
    sourcesFromSection(section),
    section.has("rtcp-mux") ? element(j.rtp, "rtcp-mux") : undefined);
  const inherited = (key) => section.value(key) ?? session.value(key);
  const [hash, fingerprint] = inherited("fingerprint").split(" ");
  const transport = bare ? element(j.ice, "transport")
    : element(j.ice, "transport", { ufrag: inherited("ice-ufrag"), pwd: inherited("ice-pwd") },
    element(j.dtls, "fingerprint", { hash, setup: inherited("setup") }, fingerprint));
  const senders = sendersOf(direction, side);
  const name = section.value("mid");
  return element(j.jingle, "content", { creator: "initiator", name, senders }, description, transport);
}

function payloadTypeFromSection(section, id) {
  const own = (key) => section.values(key).find((value) => value.startsWith(`${id} `))?.slice(id.length + 1);
  const [name, clockrate, channels] = own("rtpmap").split("/");
  const parts = (own("fmtp") ?? "").split(";").map((part) => part.trim()).filter(Boolean);
  const parameters = parts.map((part) => {
    const [key, ...value] = part.split("="); // `0-16` has no name, and a value may have an equals sign
    return element(j.rtp, "parameter", value.length ? { name: key, value: value.join("=") } : { name: "", value: key });
  });
  const feedback = feedbackFromSection(section, id);
  return element(j.rtp, "payload-type", { id, name, clockrate, channels }, parameters, feedback);
}

function feedbackFromSection(section, id) {
  const own = section.values("rtcp-fb").map((value) => value.split(" ")).filter(([of]) => of === id);
  return own.map(([, type, subtype]) =>
    type === "trr-int"
      ? element(j.feedback, "rtcp-fb-trr-int", { value: subtype })
      : element(j.feedback, "rtcp-fb", { type, subtype }));
}

function sourcesFromSection(section) {
  const sources = new Map();
  for (const value of section.values("ssrc")) {
    const [, ssrc, name, text] = /^(\d+) ([^:]+):?(.*)$/.exec(value);
    if (!sources.has(ssrc)) sources.set(ssrc, element(j.sources, "source", { ssrc }));
    sources.get(ssrc).append(element(j.sources, "parameter", { name, value: text || undefined }));
  }
  const groups = section.values("ssrc-group").map((value) => {
    const [semantics, ...ssrcs] = value.split(" ");
    const members = ssrcs.map((ssrc) => element(j.sources, "source", { ssrc }));
    return element(j.sources, "ssrc-group", { semantics }, members);
  });
  return [...sources.values(), ...groups];
}

// --- Jingle to SDP ---------------------------------------------------------------------------------------------------

/**
 * The SDP that says what contents of `side` say, m-line by m-line: a line has the `content`, or none where it is
 * refused or removed, and then `name`, `kind` and `formats`.
 *
 * `bundle` are the names of those that share a transport; `setup` takes the place of what the fingerprints say.
 */
export function sdpFromContents(lines, side, { bundle = [], setup } = {}) {
  const live = new Set(lines.filter((line) => line.content).map((line) => line.name));
  const names = bundle.filter((name) => live.has(name));
  return [
    "v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0",
    ...(names.length ? [`a=group:BUNDLE ${names.join(" ")}`] : []),
    ...lines.flatMap((line) => line.content ? sectionFromContent(line.content, side, setup) : rejectedSection(line)),
  ].map((line) => `${line}\r\n`).join("");
}

/** The names in a <jingle/> element's bundle; none when it has none. */
export function bundleFromJingle(jingle) {
  const group = children(jingle, j.grouping, "group").find((each) => each.getAttribute("semantics") === "BUNDLE");
  return children(group, j.grouping, "content").map((each) => each.getAttribute("name"));
}

const rejectedSection = ({ name, kind, formats }) =>
  [`m=${kind} 0 UDP/TLS/RTP/SAVPF ${formats.join(" ")}`, "c=IN IP4 0.0.0.0", `a=mid:${name}`, "a=inactive"];

function sectionFromContent(content, side, setup) {
  const description = child(content, j.rtp, "description");
  const transport = child(content, j.ice, "transport");
  const fingerprint = child(transport, j.dtls, "fingerprint");
  const payloadTypes = children(description, j.rtp, "payload-type");
  const ids = payloadTypes.map((each) => each.id);
  const lines = [
    `m=${description.getAttribute("media")} 9 UDP/TLS/RTP/SAVPF ${ids.join(" ")}`, "c=IN IP4 0.0.0.0",
    `a=mid:${content.getAttribute("name")}`, `a=${directionOf(content.getAttribute("senders"), side)}`,
    `a=ice-ufrag:${transport.getAttribute("ufrag")}`, `a=ice-pwd:${transport.getAttribute("pwd")}`,
    "a=ice-options:trickle",
    `a=fingerprint:${fingerprint.getAttribute("hash")} ${fingerprint.textContent.trim()}`,
    `a=setup:${setup ?? fingerprint.getAttribute("setup")}`,
  ];
  if (child(description, j.rtp, "rtcp-mux")) lines.push("a=rtcp-mux");
  if (child(description, j.extensions, "extmap-allow-mixed")) lines.push("a=extmap-allow-mixed");
  for (const extension of children(description, j.extensions, "rtp-hdrext")) {
    const senders = extension.getAttribute("senders");
    const way = senders && senders !== "both" ? `/${directionOf(senders, side)}` : "";
    lines.push(`a=extmap:${extension.id}${way} ${extension.getAttribute("uri")}`);
  }
  const candidates = children(transport, j.ice, "candidate").map((each) => `a=${sdpFromCandidate(each)}`);
  return [
    ...lines, ...feedbackLines(description, "*"), ...payloadTypes.flatMap(payloadTypeLines),
    ...sourceLines(description), ...candidates,
  ];
}

function payloadTypeLines(payloadType) {
  const read = (name) => payloadType.getAttribute(name);
  const channels = Number(read("channels") ?? 1) > 1 ? `/${read("channels")}` : "";
  const parameters = children(payloadType, j.rtp, "parameter").map((each) => {
    const name = each.getAttribute("name");
    return name ? `${name}=${each.getAttribute("value")}` : each.getAttribute("value");
  });
  return [
    `a=rtpmap:${read("id")} ${read("name")}/${read("clockrate")}${channels}`,
    ...(parameters.length ? [`a=fmtp:${read("id")} ${parameters.join(";")}`] : []),
    ...feedbackLines(payloadType, read("id")),
  ];
}

function feedbackLines(parent, id) {
  const words = (each) => [each.getAttribute("type"), each.getAttribute("subtype")].filter(Boolean).join(" ");
  return [
    ...children(parent, j.feedback, "rtcp-fb").map((each) => `a=rtcp-fb:${id} ${words(each)}`),
    ...children(parent, j.feedback, "rtcp-fb-trr-int").map(
      (each) => `a=rtcp-fb:${id} trr-int ${each.getAttribute("value")}`),
  ];
}

function sourceLines(description) {
  const ssrc = (each) => each.getAttribute("ssrc");
  return [
    ...children(description, j.sources, "ssrc-group").map((group) =>
      `a=ssrc-group:${group.getAttribute("semantics")} ${children(group, j.sources, "source").map(ssrc).join(" ")}`),
    ...children(description, j.sources, "source").flatMap((source) =>
      children(source, j.sources, "parameter").map((each) => {
        const value = each.getAttribute("value");
        return `a=ssrc:${ssrc(source)} ${each.getAttribute("name")}${value ? `:${value}` : ""}`;
      })),
  ];
}

// --- candidates ------------------------------------------------------------------------------------------------------

/** `{ ufrag, pwd }` of an SDP's section with that mid. */
export function iceCredentials(sdp, mid) {
  const section = sections(sdp).media.find((each) => each.value("mid") === mid);
  return { ufrag: section.value("ice-ufrag"), pwd: section.value("ice-pwd") };
}

/** XEP-0176's candidate for an RTCIceCandidate. */
export function candidateFromICE(candidate, id) {
  return element(j.ice, "candidate", {
    id, generation: 0, network: 0,
    foundation: candidate.foundation, component: candidate.component === "rtcp" ? 2 : 1, protocol: candidate.protocol,
    priority: candidate.priority, ip: candidate.address, port: candidate.port, type: candidate.type,
    "rel-addr": candidate.relatedAddress, "rel-port": candidate.relatedPort,
  });
}

/** The `candidate` attribute of SDP for XEP-0176's candidate of that ICE generation. */
export function sdpFromCandidate(candidate, ufrag) {
  const read = (...names) => names.map((name) => candidate.getAttribute(name)).join(" ");
  const related = candidate.hasAttribute("rel-addr") ? ` raddr ${read("rel-addr")} rport ${read("rel-port")}` : "";
  const address = read("foundation", "component", "protocol", "priority", "ip", "port");
  return `candidate:${address} typ ${read("type")}${related}${ufrag ? ` ufrag ${ufrag}` : ""}`;
}
