// One call: message initiation (XEP-0353), the Jingle session (XEP-0166) and what changes in it.
import {
  candidateFromICE, contentsFromSDP, features, groupFromSDP, jingleNS as j, mediaLines, opposite,
} from "./jingle.js";
import { DigitListener, flow, GapMeter, Listener, Picture, selectedPath, tone, Viewer } from "./media.js";
import { Negotiation } from "./negotiation.js";
import { Capabilities, child, children, element, ns } from "./xmpp.js";

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

const informational = ["active", "hold", "unhold", "mute", "unmute", "ringing"];

/**
 * Places a call, or answers the first that comes.
 *
 * The job says: `media` (["audio", "video"]), `bundled`, `videoCodecs` (names, or null for all), `seconds` after which
 * it hangs up (undefined: it does not), `tone` in Hz, `picture` ({ width, height, colour }), `addition`: whether, where
 * it bundles, content-add and content-accept have an empty transport ("bare") or that of the bundle ("grouped").
 *
 * The event `ended` has the last figures of `flow`, all tones heard (`hertz`, each 250 ms), the mean colours `seen` and
 * `shown`, how many frames were sent in the first half second (`framesSentEarly`), and for how long no sound came at
 * most (`gapMs`).
 *
 * `do` takes the commands addVideo, removeVideo, modify (`senders` of the video), restartICE, dtmf (`digits`), info
 * (`info`: mute, …), measure (answered by `measured`, with what `ended` has) and hangUp. What happens is reported:
 * mediaAdded, mediaRemoved, mediaRefused, mediaModified (`senders`), restarted (`gapMs` since the credentials changed,
 * `isNewPath`), digit, dtmfSent and info.
 */
export class Call {
  #capabilities = new Capabilities(features);
  #candidates = []; // of ours, until the peer knows of their content
  #isTrickling = false;
  #started = false;
  #ended = false;
  #measured = {};

  constructor(connection, job, report) {
    Object.assign(this, { connection, job, report });
    this.side = job.call ? "initiator" : "responder";
    this.otherSide = opposite[this.side];
    this.audio = new AudioContext();
    // An empty transport means the bundle's, which there must be then.
    const bundlePolicy = job.bundled && job.addition === "bare" ? "max-bundle" : "balanced";
    this.peerConnection = new RTCPeerConnection({ bundlePolicy });
    this.negotiation = new Negotiation(this.peerConnection, this.side, job);
    this.peerConnection.onicecandidate = ({ candidate }) => candidate?.candidate && this.#trickle(candidate);
    this.peerConnection.onconnectionstatechange = () => this.#connectionChanged();
    this.peerConnection.ontrack = ({ track, receiver }) => {
      if (track.kind === "video") return (this.viewer = new Viewer(track));
      this.listener = new Listener(this.audio, track);
      this.gap = new GapMeter(receiver);
      this.digits = new DigitListener(this.listener, (digit) => this.report("digit", { digit }));
    };
  }

  async announce() {
    this.connection.send(await this.#capabilities.presence());
  }

  place(to) {
    this.sid = crypto.randomUUID();
    const descriptions = this.job.media.map((media) => element(j.rtp, "description", { media }));
    this.#message(to, element(j.message, "propose", { id: this.sid }, descriptions));
  }

  async receive(stanza) {
    if (stanza.localName === "message") return this.#receiveMessage(stanza);
    const type = stanza.getAttribute("type");
    if (stanza.localName !== "iq" || !["get", "set"].includes(type)) return;
    const query = child(stanza, ns.discoInfo, "query");
    const jingle = child(stanza, j.jingle, "jingle");
    if (query && type === "get") this.connection.reply(stanza, this.#capabilities.info(query.getAttribute("node")));
    else if (jingle && type === "set") await this.#receiveJingle(stanza, jingle);
    else this.connection.refuse(stanza, "service-unavailable");
  }

  // --- XEP-0353 ------------------------------------------------------------------------------------------------------

  #message(to, payload) {
    const store = element("urn:xmpp:hints", "store");
    this.connection.send(element(ns.client, "message", { to, type: "chat", id: crypto.randomUUID() }, payload, store));
  }

  async #receiveMessage(stanza) {
    const from = stanza.getAttribute("from");
    const payload = [...stanza.children].find((each) => each.namespaceURI === j.message);
    if (payload?.localName === "propose" && !this.sid && this.side === "responder") {
      this.sid = payload.id;
      this.peer = from;
      this.#message(from, element(j.message, "ringing", { id: this.sid }));
      this.#message(from, element(j.message, "proceed", { id: this.sid }));
    } else if (payload?.id !== this.sid) {
      return;
    } else if (payload.localName === "proceed" && !this.peer) {
      this.peer = from;
      await this.#initiate();
    } else if (["reject", "retract"].includes(payload.localName)) {
      await this.#end(payload.localName);
    }
  }

  // --- XEP-0166 ------------------------------------------------------------------------------------------------------

  #jingle(action, attributes, ...payload) {
    const jingle = element(j.jingle, "jingle", { action, sid: this.sid, ...attributes }, ...payload);
    return this.connection.request("set", this.peer, jingle);
  }

  async #initiate() {
    const connection = this.peerConnection;
    for (const kind of this.job.media) this.#add(kind);
    await connection.setLocalDescription();
    const acknowledged = this.#jingle("session-initiate", { initiator: this.connection.jid }, this.#everything());
    this.#beginTrickling();
    await acknowledged;
  }

  async #accept(jingle) {
    await this.negotiation.offered(jingle);
    await this.#fillTransceivers();
    await this.negotiation.answer();
    const acknowledged = this.#jingle("session-accept", { responder: this.connection.jid }, this.#everything());
    this.#beginTrickling();
    await acknowledged;
  }

  #everything() {
    const sdp = this.peerConnection.localDescription.sdp;
    return [...contentsFromSDP(sdp, this.side), this.job.bundled ? groupFromSDP(sdp) : undefined];
  }

  async #receiveJingle(iq, jingle) {
    if (jingle.getAttribute("sid") !== this.sid || iq.getAttribute("from") !== this.peer) {
      return this.connection.refuse(iq, "item-not-found", element(j.errors, "unknown-session"));
    }
    const names = children(jingle, j.jingle, "content").map((content) => content.getAttribute("name"));
    const acknowledge = () => this.connection.reply(iq);
    switch (jingle.getAttribute("action")) {
      case "session-initiate":
        acknowledge();
        return this.#accept(jingle);
      case "session-accept":
        acknowledge();
        return this.negotiation.accepted(jingle);
      case "transport-info":
        acknowledge();
        return this.#receiveTransportInfo(jingle);
      case "session-info":
        return this.#receiveInfo(iq, jingle);
      case "session-terminate":
        acknowledge();
        return this.#end(child(jingle, j.jingle, "reason")?.firstElementChild?.localName ?? "success");
      case "content-add":
        if (!this.negotiation.isIdle && this.side === "initiator") {
          return this.connection.refuse(iq, "conflict", element(j.errors, "tie-break"));
        }
        acknowledge();
        return this.#acceptAddition(jingle, names);
      case "content-accept":
        acknowledge();
        await this.negotiation.accepted(jingle);
        this.#sendCandidates();
        return this.#reportMedia("mediaAdded", names, { byPeer: false });
      case "content-reject":
        acknowledge();
        this.#reportMedia("mediaRefused", names);
        return this.negotiation.refused(names);
      case "content-modify":
        acknowledge();
        for (const content of children(jingle, j.jingle, "content")) {
          const [name, senders] = ["name", "senders"].map((key) => content.getAttribute(key));
          await this.negotiation.modified(name, senders);
          this.#reportMedia("mediaModified", [name], { senders });
        }
        return;
      case "content-remove":
        acknowledge();
        this.#reportMedia("mediaRemoved", names, { byPeer: true });
        return this.negotiation.removed(names);
      case "description-info":
      case "security-info":
        return acknowledge();
      default:
        return this.connection.refuse(iq, "feature-not-implemented");
    }
  }

  #receiveInfo(iq, jingle) {
    const payload = jingle.firstElementChild;
    const isKnown = !payload || (payload.namespaceURI === j.rtpInfo && informational.includes(payload.localName));
    if (!isKnown) return this.connection.refuse(iq, "feature-not-implemented", element(j.errors, "unsupported-info"));
    this.connection.reply(iq);
    if (payload) this.report("info", { info: payload.localName, name: payload.getAttribute("name") });
  }

  async #hangUp(reason) {
    if (this.#ended) return;
    await this.#measure();
    await this.#jingle("session-terminate", {}, element(j.jingle, "reason", {}, element(j.jingle, reason)));
    this.#message(this.peer.split("/")[0], element(j.message, "finish", { id: this.sid }));
    await this.#end(reason);
  }

  // --- changes -------------------------------------------------------------------------------------------------------

  /** Carries out a command; one after the other, and none between a stanza and what it brings about. */
  do({ command, ...details }) {
    const commands = {
      addVideo: () => this.#addVideo(),
      removeVideo: () => this.#removeVideo(),
      modify: ({ senders }) => this.#modify(senders),
      restartICE: () => this.#restart(),
      dtmf: ({ digits }) => this.#dial(digits),
      info: ({ info }) => this.#jingle("session-info", {}, element(j.rtpInfo, info)),
      measure: async () => (await this.#measure(), this.report("measured", this.#measured)),
      hangUp: () => this.#hangUp("success"),
    };
    return this.connection.inTurn(() => commands[command](details));
  }

  async #addVideo() {
    const transceiver = this.#add("video");
    await this.peerConnection.setLocalDescription();
    const names = [transceiver.mid];
    // Nothing waits for the acknowledgement: that of the peer's own content-add may be waiting for this side. The
    // addition's candidates wait until it is accepted, as libwebrtc clients have it.
    this.#jingle("content-add", {}, this.#addition(names)).catch((error) => {
      this.connection.inTurn(() => this.#withdraw(transceiver, names, error));
    });
  }

  async #withdraw(transceiver, names, error) {
    await this.negotiation.rollBack();
    transceiver.stop();
    this.report("mediaRefused", { content: names[0], media: "video", message: String(error) });
  }

  async #acceptAddition(jingle, names) {
    await this.negotiation.rollBack();
    await this.negotiation.offered(jingle);
    await this.#fillTransceivers();
    await this.negotiation.answer();
    this.#jingle("content-accept", {}, this.#addition(names));
    this.#sendCandidates();
    const category = child(child(child(jingle, j.jingle, "content"), j.rtp, "description"), j.category, "category");
    this.#reportMedia("mediaAdded", names, { byPeer: true, category: category?.getAttribute("name") });
  }

  /** What is said of contents that come in mid-call. */
  #addition(names) {
    const sdp = this.peerConnection.localDescription.sdp;
    const { bundled, addition } = this.job;
    const contents = contentsFromSDP(sdp, this.side, { names, bare: bundled && addition === "bare" });
    return [...contents, bundled ? groupFromSDP(sdp) : undefined];
  }

  async #removeVideo() {
    const names = [this.#video().mid];
    this.#jingle("content-remove", {}, this.#named(names));
    await this.negotiation.removed(names);
    this.#reportMedia("mediaRemoved", names, { byPeer: false });
  }

  async #modify(senders) {
    const direction = { both: "sendrecv", none: "inactive", [this.side]: "sendonly", [this.otherSide]: "recvonly" };
    const name = this.#video().mid;
    this.#jingle("content-modify", {}, this.#named([name], { senders }));
    await this.negotiation.modify(name, senders, direction[senders]);
  }

  async #restart() {
    const before = selectedPath(this.peerConnection);
    this.#watchRestart(before);
    this.peerConnection.restartIce();
    await this.peerConnection.setLocalDescription();
    // Only the credentials, of all contents at once: candidates follow when the peer has its own.
    const names = mediaLines(this.peerConnection.localDescription.sdp).filter((line) => !line.isRejected);
    const contents = names.map(({ name }) => element(j.jingle, "content", { creator: "initiator", name },
      element(j.ice, "transport", this.negotiation.credentials(name))));
    this.#jingle("transport-info", {}, contents);
  }

  async #receiveTransportInfo(jingle) {
    const before = selectedPath(this.peerConnection);
    const outcome = await this.negotiation.informed(jingle);
    if (outcome === "restarted") this.#watchRestart(before);
    if (outcome) this.#sendCandidates();
  }

  /** Reports what a restart did to the sound, and whether packets go over another path than `before` now. */
  async #watchRestart(before) {
    this.gap?.begin();
    const isNew = () => (selectedPath(this.peerConnection) ?? before) !== before;
    // The side that does not nominate may stay on the old path while that works.
    for (let count = 0; count < 60 && !isNew(); count++) await pause(50);
    await pause(1000);
    if (!this.#ended) this.report("restarted", { gapMs: this.gap?.longest, isNewPath: isNew() });
  }

  #dial(digits) {
    const sender = this.peerConnection.getSenders().find((each) => each.track?.kind === "audio");
    if (!sender.dtmf.canInsertDTMF) throw new Error("the call has no telephone-event");
    sender.dtmf.ontonechange = ({ tone }) => tone || this.report("dtmfSent", { digits });
    sender.dtmf.insertDTMF(digits, 200, 100);
  }

  #video() {
    const transceivers = this.peerConnection.getTransceivers();
    return transceivers.findLast((each) => each.receiver.track.kind === "video" && each.currentDirection !== "stopped");
  }

  #named(names, attributes = {}) {
    return names.map((name) => element(j.jingle, "content", { creator: "initiator", name, ...attributes }));
  }

  #reportMedia(event, names, details = {}) {
    const lines = mediaLines(this.peerConnection.localDescription.sdp);
    for (const name of names) {
      this.report(event, { content: name, media: lines.find((line) => line.name === name)?.kind, ...details });
    }
  }

  // --- XEP-0176 ------------------------------------------------------------------------------------------------------

  #trickle(candidate) {
    this.#candidates.push(candidate);
    if (this.negotiation.isIdle || !this.#started) this.#sendCandidates();
  }

  #beginTrickling() {
    this.#isTrickling = true;
    this.#sendCandidates();
  }

  #sendCandidates() {
    if (!this.#isTrickling) return;
    const names = mediaLines(this.peerConnection.localDescription.sdp).map((line) => line.name);
    for (const candidate of this.#candidates.splice(0)) {
      if (candidate.protocol !== "udp" || candidate.component === "rtcp") continue;
      const name = candidate.sdpMid;
      if (!names.includes(name)) continue; // its content was taken back
      const transport = element(
        j.ice, "transport", this.negotiation.credentials(name), candidateFromICE(candidate, crypto.randomUUID()));
      this.#jingle("transport-info", {}, element(j.jingle, "content", { creator: "initiator", name }, transport));
    }
  }

  // --- media ---------------------------------------------------------------------------------------------------------

  #add(kind) {
    const transceiver = this.peerConnection.addTransceiver(this.#track(kind), { streams: [new MediaStream()] });
    if (kind === "video") this.#preferCodecs(transceiver);
    return transceiver;
  }

  /** Gives a track to what was offered and has none. */
  async #fillTransceivers() {
    for (const transceiver of this.peerConnection.getTransceivers()) {
      const { kind } = transceiver.receiver.track;
      if (transceiver.sender.track || transceiver.direction === "stopped") continue;
      await transceiver.sender.replaceTrack(this.#track(kind));
      transceiver.direction = "sendrecv";
      if (kind === "video") this.#preferCodecs(transceiver);
    }
  }

  #track(kind) {
    if (kind === "audio") return tone(this.audio, this.job.tone);
    this.picture = new Picture(this.job.picture);
    return this.picture.track;
  }

  #preferCodecs(transceiver) {
    if (!this.job.videoCodecs) return;
    const wanted = [...this.job.videoCodecs, "rtx"].map((name) => `video/${name}`.toLowerCase());
    const codecs = RTCRtpReceiver.getCapabilities("video").codecs;
    transceiver.setCodecPreferences(codecs.filter((codec) => wanted.includes(codec.mimeType.toLowerCase())));
  }

  async #connectionChanged() {
    const state = this.peerConnection.connectionState;
    if (state === "failed") return this.#hangUp("connectivity-error");
    if (state !== "connected" || this.#started) return;
    this.#started = true;
    this.report("connected");
    if (this.job.seconds) pause(this.job.seconds * 1000).then(() => this.#hangUp("success"));
    while (!this.#ended) {
      await pause(250);
      await this.#measure();
    }
  }

  async #measure() {
    if (this.#ended) return;
    const flowed = await flow(this.peerConnection);
    const hertz = this.listener?.hertz() ?? null;
    const hearings = [...(this.#measured.hertz ?? []), hertz];
    this.#measured = {
      ...flowed,
      framesSentEarly: hearings.length > 2 ? this.#measured.framesSentEarly : flowed.video.outbound?.framesSent,
      hertz: hearings,
      seen: this.viewer?.mean() ?? null,
      shown: this.picture?.mean() ?? null,
      gapMs: this.gap?.longestOfAll,
    };
  }

  /** Tells the last figures; but the transports of before, for a peer that hung up may have closed them. */
  async #end(reason) {
    if (this.#ended) return;
    const flowed = this.#started ? await flow(this.peerConnection) : {};
    this.#ended = true;
    this.peerConnection.close();
    this.report("ended", { reason, ...this.#measured, ...flowed, transports: this.#measured.transports });
  }
}
