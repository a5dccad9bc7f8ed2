// One call: message initiation (XEP-0353), the Jingle session (XEP-0166) and the RTCPeerConnection that it steers.
import {
  candidateFromICE, features, iceCredentials, jingleFromSDP, jingleNS as j, sdpFromCandidate, sdpFromJingle,
} from "./jingle.js";
import { flow, Listener, Picture, tone, Viewer } from "./media.js";
import { Capabilities, child, children, element, ns } from "./xmpp.js";

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/**
 * Places a call, or answers the first that comes.
 *
 * The job says: `media` (["audio", "video"]), `bundled`, `videoCodecs` (names, or null for all), `seconds` after which
 * it hangs up (undefined: it does not), `tone` in Hz, `picture` ({ width, height, colour }).
 *
 * The event `ended` has the last figures of `flow`, all tones heard (`hertz`, each 250 ms), the mean colours `seen` and
 * `shown`, and how many frames were sent in the first half second (`framesSentEarly`).
 */
export class Call {
  #capabilities = new Capabilities(features);
  #candidates = []; // of ours, until the peer knows the session
  #remoteCandidates = []; // until there is a remote description
  #trickles = false;
  #started = false;
  #ended = false;
  #measured = {};

  constructor(connection, job, report) {
    Object.assign(this, { connection, job, report });
    this.side = job.call ? "initiator" : "responder";
    this.otherSide = job.call ? "responder" : "initiator";
    this.audio = new AudioContext();
    this.peerConnection = new RTCPeerConnection();
    this.peerConnection.onicecandidate = ({ candidate }) => candidate?.candidate && this.#trickle(candidate);
    this.peerConnection.onconnectionstatechange = () => this.#connectionChanged();
    this.peerConnection.ontrack = ({ track }) => {
      if (track.kind === "audio") this.listener = new Listener(this.audio, track);
      else this.viewer = new Viewer(track);
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
    for (const kind of this.job.media) {
      const transceiver = connection.addTransceiver(this.#track(kind), { streams: [new MediaStream()] });
      if (kind === "video") this.#preferCodecs(transceiver);
    }
    await connection.setLocalDescription();
    const contents = jingleFromSDP(connection.localDescription.sdp, this.side, this.job);
    const acknowledged = this.#jingle("session-initiate", { initiator: this.connection.jid }, contents);
    this.#beginTrickling();
    await acknowledged;
  }

  async #accept(jingle) {
    const connection = this.peerConnection;
    const sdp = sdpFromJingle(jingle, this.otherSide, this.job);
    await connection.setRemoteDescription({ type: "offer", sdp });
    await this.#addRemoteCandidates();
    for (const transceiver of connection.getTransceivers()) {
      await transceiver.sender.replaceTrack(this.#track(transceiver.receiver.track.kind));
      transceiver.direction = "sendrecv";
      if (transceiver.receiver.track.kind === "video") this.#preferCodecs(transceiver);
    }
    await connection.setLocalDescription();
    const contents = jingleFromSDP(connection.localDescription.sdp, this.side, this.job);
    const acknowledged = this.#jingle("session-accept", { responder: this.connection.jid }, contents);
    this.#beginTrickling();
    await acknowledged;
  }

  async #receiveJingle(iq, jingle) {
    if (jingle.getAttribute("sid") !== this.sid || iq.getAttribute("from") !== this.peer) {
      return this.connection.refuse(iq, "item-not-found", element(j.errors, "unknown-session"));
    }
    const action = jingle.getAttribute("action");
    const known = ["session-initiate", "session-accept", "transport-info", "session-info", "session-terminate"];
    if (!known.includes(action)) return this.connection.refuse(iq, "feature-not-implemented");
    this.connection.reply(iq);
    switch (action) {
      case "session-initiate":
        return this.#accept(jingle);
      case "session-accept":
        const sdp = sdpFromJingle(jingle, this.otherSide, this.job);
        await this.peerConnection.setRemoteDescription({ type: "answer", sdp });
        return this.#addRemoteCandidates();
      case "transport-info":
        for (const content of children(jingle, j.jingle, "content")) {
          const candidates = children(child(content, j.ice, "transport"), j.ice, "candidate");
          const sdpMid = content.getAttribute("name");
          this.#remoteCandidates.push(...candidates.map((each) => ({ candidate: sdpFromCandidate(each), sdpMid })));
        }
        return this.#addRemoteCandidates();
      case "session-terminate":
        return this.#end(child(jingle, j.jingle, "reason")?.firstElementChild?.localName ?? "success");
    }
  }

  async #hangUp(reason) {
    if (this.#ended) return;
    await this.#measure();
    await this.#jingle("session-terminate", {}, element(j.jingle, "reason", {}, element(j.jingle, reason)));
    this.#message(this.peer.split("/")[0], element(j.message, "finish", { id: this.sid }));
    await this.#end(reason);
  }

  // --- XEP-0176 ------------------------------------------------------------------------------------------------------

  #trickle(candidate) {
    this.#candidates.push(candidate);
    if (this.#trickles) this.#sendCandidates();
  }

  #beginTrickling() {
    this.#trickles = true;
    this.#sendCandidates();
  }

  #sendCandidates() {
    for (const candidate of this.#candidates.splice(0)) {
      if (candidate.protocol !== "udp" || candidate.component === "rtcp") continue;
      const name = candidate.sdpMid;
      const credentials = iceCredentials(this.peerConnection.localDescription.sdp, name);
      const transport = element(j.ice, "transport", credentials, candidateFromICE(candidate, crypto.randomUUID()));
      this.#jingle("transport-info", {}, element(j.jingle, "content", { creator: "initiator", name }, transport));
    }
  }

  async #addRemoteCandidates() {
    if (!this.peerConnection.remoteDescription) return;
    for (const candidate of this.#remoteCandidates.splice(0)) await this.peerConnection.addIceCandidate(candidate);
  }

  // --- media ---------------------------------------------------------------------------------------------------------

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
