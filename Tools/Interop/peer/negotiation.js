// What the other side says of its contents, and the RTCPeerConnection that is kept in step with it.
import {
  bundleFromJingle, contentsFromSDP, iceCredentials, jingleNS as j, mediaLines, opposite, sdpFromCandidate,
  sdpFromContents,
} from "./jingle.js";
import { child, children } from "./xmpp.js";

const name = (content) => content.getAttribute("name");
const transport = (content) => child(content, j.ice, "transport");
const fingerprint = (content) => child(transport(content), j.dtls, "fingerprint");
const credentials = (content) => ["ufrag", "pwd"].map((key) => transport(content).getAttribute(key)).join(" ");

/**
 * SDP speaks of everything each time, Jingle only of what changes. So this remembers what the other side's contents
 * are, and puts together the whole description when one of them changes.
 */
export class Negotiation {
  #contents = new Map(); // the other side's, by name
  #bundle = []; // names of those on one transport
  #candidates = []; // until there is a description to add them to

  constructor(connection, side, { bundled }) {
    Object.assign(this, { connection, side, otherSide: opposite[side], bundled });
  }

  get isIdle() {
    return this.connection.signalingState === "stable";
  }

  knows(contentName) {
    return this.#contents.has(contentName);
  }

  // --- an offer of the other side's ----------------------------------------------------------------------------------

  /** Takes what it offers, by session-initiate or content-add. */
  async offered(jingle) {
    this.#remember(jingle);
    await this.#setRemoteOffer(children(jingle, j.jingle, "content").map(name));
  }

  /** Once answered, and with what role this side took in DTLS, the other side's role is settled. */
  async answer() {
    await this.connection.setLocalDescription();
    this.#settleRoles(this.connection.localDescription.sdp);
    await this.#addCandidates();
  }

  // --- an answer of the other side's ---------------------------------------------------------------------------------

  /** Takes what it accepts of this side's offer, by session-accept or content-accept. */
  async accepted(jingle) {
    this.#remember(jingle);
    await this.#setRemoteAnswer();
  }

  /** Takes that it does not accept these contents, or that they are removed. */
  async refused(names) {
    names.forEach((each) => this.#contents.delete(each));
    await this.#setRemoteAnswer();
  }

  /** Takes back the offer that was made last. */
  async rollBack() {
    if (this.connection.signalingState === "have-local-offer") {
      await this.connection.setLocalDescription({ type: "rollback" });
    }
  }

  // --- changes that need no consent ----------------------------------------------------------------------------------

  /** Whoever removed them, contents are stopped here and in the description that the other side would answer. */
  async removed(names) {
    for (const transceiver of this.connection.getTransceivers()) {
      if (names.includes(transceiver.mid)) transceiver.stop();
    }
    await this.connection.setLocalDescription();
    await this.refused(names);
  }

  /** The other side wants another direction: it is as if it had offered that. */
  async modified(contentName, senders) {
    this.#contents.get(contentName)?.setAttribute("senders", senders);
    if (!this.isIdle) return; // Dino sends it before the content-accept that it concerns
    await this.#setRemoteOffer();
    await this.answer();
  }

  /** This side wants another direction. */
  async modify(contentName, senders, direction) {
    this.#contents.get(contentName)?.setAttribute("senders", senders);
    this.connection.getTransceivers().find((each) => each.mid === contentName).direction = direction;
    await this.connection.setLocalDescription();
    await this.#setRemoteAnswer();
  }

  // --- ICE -----------------------------------------------------------------------------------------------------------

  /**
   * Takes a transport-info's credentials and candidates.
   *
   * Resolves to "restarted" when the other side restarts ICE, so that this side must tell its own new credentials;
   * "answered" when it answers this side's restart.
   */
  async informed(jingle) {
    let changed = false;
    for (const said of children(jingle, j.jingle, "content").filter(transport)) {
      const ufrag = transport(said).getAttribute("ufrag");
      changed = this.#changeCredentials(said) || changed;
      for (const each of children(transport(said), j.ice, "candidate")) {
        this.#candidates.push({ candidate: sdpFromCandidate(each, ufrag), sdpMid: name(said) });
      }
    }
    let outcome;
    if (changed && this.connection.signalingState === "have-local-offer") {
      await this.#setRemoteAnswer();
      outcome = "answered";
    } else if (changed) {
      await this.#setRemoteOffer();
      await this.answer();
      outcome = "restarted";
    }
    await this.#addCandidates();
    return outcome;
  }

  /** Whether these are credentials that its content had not, which are then remembered for all on that transport. */
  #changeCredentials(said) {
    const known = this.#contents.get(name(said));
    const [ufrag, pwd] = ["ufrag", "pwd"].map((key) => transport(said).getAttribute(key));
    if (!known || !ufrag || !pwd || credentials(known) === credentials(said)) return false;
    const before = credentials(known);
    const isBundled = this.#bundle.includes(name(said));
    for (const content of this.#contents.values()) {
      const shares = isBundled && this.#bundle.includes(name(content)) && credentials(content) === before;
      if (content !== known && !shares) continue;
      transport(content).setAttribute("ufrag", ufrag);
      transport(content).setAttribute("pwd", pwd);
      children(transport(content), j.ice, "candidate").forEach((each) => each.remove());
    }
    return true;
  }

  async #addCandidates() {
    if (!this.connection.remoteDescription) return;
    const known = mediaLines(this.connection.remoteDescription.sdp).filter((line) => !line.isRejected);
    for (const candidate of this.#candidates.splice(0)) {
      if (known.some((line) => line.name === candidate.sdpMid)) await this.connection.addIceCandidate(candidate);
    }
  }

  // --- descriptions --------------------------------------------------------------------------------------------------

  #remember(jingle) {
    const bundle = bundleFromJingle(jingle);
    for (const content of children(jingle, j.jingle, "content").map((each) => each.cloneNode(true))) {
      const leader = this.#contents.get(this.#bundle[0]);
      const said = transport(content);
      const isBare = !said.hasAttribute("ufrag");
      if (isBare) {
        said.setAttribute("ufrag", transport(leader).getAttribute("ufrag"));
        said.setAttribute("pwd", transport(leader).getAttribute("pwd"));
      }
      if (!fingerprint(content)) said.append(fingerprint(leader).cloneNode(true));
      this.#contents.set(name(content), content);
      if (isBare && !bundle.length) this.#bundle.push(name(content));
    }
    if (bundle.length) this.#bundle = bundle;
    if (!this.bundled) this.#bundle = [];
  }

  /** m-lines once made stay for good; new ones come behind. */
  async #setRemoteOffer(added = []) {
    const current = this.connection.remoteDescription ? mediaLines(this.connection.remoteDescription.sdp) : [];
    const more = added.filter((each) => !current.some((line) => line.name === each)).map((each) => ({ name: each }));
    const lines = this.#filled([...current, ...more]);
    const sdp = sdpFromContents(lines, this.otherSide, { bundle: this.#bundle, setup: "actpass" });
    await this.connection.setRemoteDescription({ type: "offer", sdp });
  }

  async #setRemoteAnswer() {
    const lines = this.#filled(mediaLines(this.connection.localDescription.sdp));
    const sdp = sdpFromContents(lines, this.otherSide, { bundle: this.#bundle });
    await this.connection.setRemoteDescription({ type: "answer", sdp });
    await this.#addCandidates();
  }

  #filled(lines) {
    return lines.map((line) => line.isRejected ? line : { ...line, content: this.#contents.get(line.name) });
  }

  /** An answer of the other side's cannot say "actpass", so what it offered is remembered as what became of it. */
  #settleRoles(sdp) {
    for (const own of contentsFromSDP(sdp, this.side, {})) {
      const content = this.#contents.get(name(own));
      const role = fingerprint(own)?.getAttribute("setup");
      if (!content || role === "actpass") continue;
      fingerprint(content).setAttribute("setup", role === "active" ? "passive" : "active");
    }
  }

  /** This side's credentials for a content. */
  credentials(contentName) {
    return iceCredentials(this.connection.localDescription.sdp, contentName);
  }
}
