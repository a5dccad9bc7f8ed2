// Two RTCPeerConnections that know of each other only what `carillon sdp` made of their descriptions and candidates.
import { Picture, tone } from "./media.js";
import { job, report } from "./report.js";

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

const sound = () => tone(audio, 500);
const picture = () => new Picture({ width: 320, height: 180, colour: "rgb(40, 120, 200)" }).track;
const audio = new AudioContext();

function add(connection, kind, direction = "sendrecv") {
  if (!direction.startsWith("send")) return connection.addTransceiver(kind, { direction });
  const track = kind === "audio" ? sound() : picture();
  return connection.addTransceiver(track, { direction, streams: [new MediaStream()] });
}

/** Takes codecs by name, in this order, with what belongs to them. */
function prefer(transceiver, ...names) {
  const kind = transceiver.receiver.track.kind;
  const { codecs } = RTCRtpReceiver.getCapabilities(kind);
  const named = (name) => codecs.filter((codec) => codec.mimeType.toLowerCase() === `${kind}/${name}`.toLowerCase());
  transceiver.setCodecPreferences(names.flatMap(named));
}

/** What the one who offers has, what the one who answers does to that, and how they go about it. */
const scenarios = {
  audio: { offer: (connection) => add(connection, "audio") },
  "audio and video": { offer: (connection) => (add(connection, "audio"), add(connection, "video")) },
  "video refused": {
    offer: (connection) => (add(connection, "audio"), add(connection, "video")),
    answer: (connection) => connection.getTransceivers()[1].stop(),
  },
  "two videos, one to receive": {
    offer: (connection) => (add(connection, "audio"), add(connection, "video"), add(connection, "video", "recvonly")),
  },
  "one way and none": {
    offer: (connection) => {
      add(connection, "audio", "sendonly");
      add(connection, "video", "recvonly");
      add(connection, "video", "inactive");
    },
  },
  "sound of several streams": {
    offer: (connection) => {
      connection.addTransceiver(sound(), { streams: [new MediaStream(), new MediaStream()] });
      connection.addTransceiver(sound(), { streams: [] });
    },
  },
  "G.722, telephone events and comfort noise": {
    offer: (connection) => prefer(add(connection, "audio"), "G722", "PCMA", "telephone-event", "CN"),
  },
  "redundant Opus": { offer: (connection) => prefer(add(connection, "audio"), "red", "opus", "telephone-event") },
  "H.264 first": { offer: (connection) => prefer(add(connection, "video"), "H264", "rtx", "VP8", "red", "ulpfec") },
  "AV1 first": { offer: (connection) => prefer(add(connection, "video"), "AV1", "VP9", "rtx") },
  "VP9 with error correction": {
    offer: (connection) => prefer(add(connection, "video"), "VP9", "rtx", "red", "ulpfec", "flexfec-03"),
  },
  "candidates in the descriptions": {
    gathersFirst: true,
    offer: (connection) => (add(connection, "audio"), add(connection, "video")),
  },
  "everything on one transport": {
    configuration: { bundlePolicy: "max-bundle" },
    offer: (connection) => (add(connection, "audio"), add(connection, "video")),
  },
  "a transport each": {
    configuration: { bundlePolicy: "max-compat" },
    offer: (connection) => (add(connection, "audio"), add(connection, "video")),
    change: (description) => description.replace(/^a=group:.*\r\n/m, ""),
  },
  "ICE restart": { offer: (connection) => (add(connection, "audio"), add(connection, "video")), restarts: true },
  "video added": {
    offer: (connection) => add(connection, "audio"),
    then: (connection) => add(connection, "video"),
  },
  "data channel left out": {
    offer: (connection) => (connection.createDataChannel("x"), add(connection, "audio"), add(connection, "video")),
  },
};

class Party {
  constructor(role, configuration) {
    this.role = role;
    this.connection = new RTCPeerConnection(configuration);
    this.candidates = [];
    this.connection.onicecandidate = ({ candidate }) => candidate && this.candidates.push(candidate.toJSON());
    // Chromium decodes only what somebody plays.
    this.players = [];
    this.connection.ontrack = ({ track }) => {
      const player = document.createElement(track.kind);
      Object.assign(player, { autoplay: true, muted: track.kind === "video", srcObject: new MediaStream([track]) });
      document.body.append(player);
      this.players.push(player);
    };
  }

  async gathered() {
    while (this.connection.iceGatheringState !== "complete") await pause(20);
  }

  /** For each m-line, what came in on it: packets, or frames once there are pictures. */
  async received() {
    const reports = [...(await this.connection.getStats()).values()].filter((each) => each.type === "inbound-rtp");
    return Object.fromEntries(reports.map((each) => [each.mid, each.framesDecoded ?? each.packetsReceived]));
  }

  /** The pair that packets go over. */
  async path() {
    const reports = await this.connection.getStats();
    const transport = [...reports.values()].find((each) => each.type === "transport" && each.selectedCandidatePairId);
    const pair = reports.get(transport?.selectedCandidatePairId);
    return reports.get(pair?.localCandidateId)?.usernameFragment;
  }

  close() {
    this.connection.close();
    for (const player of this.players) player.remove();
  }
}

/** What `carillon sdp` writes when it reads `input`; throws what it complains of. */
async function carillonSDP(input, options = {}) {
  const response = await fetch("/sdp", { method: "POST", body: JSON.stringify({ input, ...options }) });
  const { output, warnings, failure } = await response.json();
  if (failure) throw new Error(failure);
  return { output, warnings };
}

/** To Jingle and back; an answer beside the offer that each side knows, for Jingle has no words for some m-lines. */
async function throughJingle(sdp, log, what, role, offerTaken, offerMade) {
  const there = await carillonSDP(sdp, { role, offer: offerTaken });
  const back = await carillonSDP(there.output, { role, offer: offerMade });
  const warnings = [...there.warnings, ...back.warnings];
  log.push({ what, before: sdp, jingle: there.output, after: back.output, warnings });
  return back.output;
}

/** Gives all candidates that there are to the other side, with the words of Jingle in between. */
async function trickle(from, to, log) {
  const candidates = from.candidates.splice(0);
  if (!candidates.length) return;
  const before = candidates.map((each) => JSON.stringify(each)).join("\n");
  const there = await carillonSDP(before, { sid: "1", credentials: from.connection.localDescription.sdp });
  const back = await carillonSDP(there.output);
  const what = `${from.role}'s candidates`;
  log.push({ what, before, jingle: there.output, after: back.output, warnings: there.warnings });
  for (const line of back.output.trim().split("\n")) {
    // What the m-line of a bundle has no transport for is of no use to the other side.
    const candidate = JSON.parse(line);
    if (to.connection.remoteDescription.sdp.includes(`a=mid:${candidate.sdpMid}\r\n`)) {
      await to.connection.addIceCandidate(candidate);
    }
  }
}

async function run(name, scenario) {
  const log = [];
  const offering = new Party("initiator", scenario.configuration);
  const answering = new Party("responder", scenario.configuration);
  const result = { name, log, failures: [] };
  try {
    await scenario.offer(offering.connection);
    await exchange(scenario, offering, answering, log, scenario.answer);
    result.failures.push(...(await flowing(offering, answering)));
    if (scenario.restarts) {
      const before = await offering.path();
      offering.connection.restartIce();
      await exchange(scenario, offering, answering, log);
      for (let count = 0; count < 100 && (await offering.path()) === before; count++) await pause(50);
      if ((await offering.path()) === before) result.failures.push("no new path after the restart");
      result.failures.push(...(await flowing(offering, answering)));
    }
    if (scenario.then) {
      await scenario.then(offering.connection);
      await exchange(scenario, offering, answering, log);
      result.failures.push(...(await flowing(offering, answering)));
    }
  } catch (error) {
    result.failures.push(String(error));
  }
  offering.close();
  answering.close();
  report("scenario", result);
}

/** One offer and its answer, and all candidates. */
async function exchange(scenario, offering, answering, log, adjust) {
  const change = scenario.change ?? ((description) => description);
  await offering.connection.setLocalDescription();
  if (scenario.gathersFirst) await offering.gathered();
  const offer = change(offering.connection.localDescription.sdp);
  const offered = await throughJingle(offer, log, "offer", "initiator");
  await answering.connection.setRemoteDescription({ type: "offer", sdp: offered });
  for (const transceiver of answering.connection.getTransceivers()) {
    if (transceiver.sender.track || transceiver.currentDirection) continue;
    await transceiver.sender.replaceTrack(transceiver.receiver.track.kind === "audio" ? sound() : picture());
    transceiver.direction = "sendrecv";
  }
  adjust?.(answering.connection);
  await answering.connection.setLocalDescription();
  if (scenario.gathersFirst) await answering.gathered();
  const answer = answering.connection.localDescription.sdp;
  const answered = await throughJingle(answer, log, "answer", "responder", offered, offer);
  await offering.connection.setRemoteDescription({ type: "answer", sdp: answered });
  if (scenario.gathersFirst) return;
  await Promise.all([offering.gathered(), answering.gathered()]);
  await trickle(offering, answering, log);
  await trickle(answering, offering, log);
}

/** What does not flow though both sides agreed that it should. */
async function flowing(...parties) {
  const begun = await Promise.all(parties.map((party) => party.received()));
  let missing = [];
  for (let count = 0; count < 100; count++) {
    missing = [];
    for (const [index, party] of parties.entries()) {
      const state = party.connection.connectionState;
      if (state !== "connected") missing.push(`${party.role} is ${state}`);
      const received = await party.received();
      for (const { mid, currentDirection, receiver } of party.connection.getTransceivers()) {
        if (!["sendrecv", "recvonly"].includes(currentDirection)) continue;
        const count = (received[mid] ?? 0) - (begun[index][mid] ?? 0);
        if (count < 5) missing.push(`${party.role} gets ${count} of ${receiver.track.kind} ${mid}`);
      }
    }
    if (!missing.length) return [];
    await pause(100);
  }
  return missing;
}

await job();
for (const [name, scenario] of Object.entries(scenarios)) await run(name, scenario);
report("ended");
