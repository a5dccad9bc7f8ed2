// What the peer sends, a tone and a picture whose mean colour is known, and what it makes of what it receives.

/** A track with a sine wave. */
export function tone(context, hertz) {
  const oscillator = new OscillatorNode(context, { frequency: hertz });
  const gain = new GainNode(context, { gain: 0.3 });
  const destination = new MediaStreamAudioDestinationNode(context);
  oscillator.connect(gain).connect(destination);
  oscillator.start();
  return destination.stream.getAudioTracks()[0];
}

/** A picture of one colour in which a small white square moves, 30 times a second. */
export class Picture {
  constructor({ width, height, colour }) {
    this.canvas = Object.assign(document.createElement("canvas"), { width, height });
    const context = this.canvas.getContext("2d");
    const side = height / 6;
    let count = 0;
    const draw = () => {
      context.fillStyle = colour;
      context.fillRect(0, 0, width, height);
      context.fillStyle = "white";
      context.fillRect((count++ * 4) % (width - side), (height - side) / 2, side, side);
    };
    draw();
    setInterval(draw, 1000 / 30);
    this.track = this.canvas.captureStream(30).getVideoTracks()[0];
  }

  mean() {
    return meanRGB(this.canvas, this.canvas.width, this.canvas.height);
  }
}

/** Hears which tone prevails in a track. */
export class Listener {
  constructor(context, track) {
    this.context = context;
    const stream = new MediaStream([track]);
    this.element = Object.assign(new Audio(), { srcObject: stream, autoplay: true }); // or the track is never decoded
    this.analyser = new AnalyserNode(context, { fftSize: 8192, smoothingTimeConstant: 0 });
    this.source = new MediaStreamAudioSourceNode(context, { mediaStream: stream });
    this.source.connect(this.analyser);
  }

  /** In Hz; null in silence. */
  hertz() {
    const decibels = new Float32Array(this.analyser.frequencyBinCount);
    this.analyser.getFloatFrequencyData(decibels);
    let peak = 1;
    for (let bin = 2; bin < decibels.length - 1; bin++) if (decibels[bin] > decibels[peak]) peak = bin;
    if (!(decibels[peak] > -60)) return null;
    const [left, top, right] = [decibels[peak - 1], decibels[peak], decibels[peak + 1]];
    const offset = (left - right) / (2 * (left - 2 * top + right)); // the vertex of the parabola through the three
    return ((peak + offset) * this.context.sampleRate) / this.analyser.fftSize;
  }
}

/** Hears telephone digits: two tones at once, which Chromium plays for the events of RFC 4733. */
export class DigitListener {
  constructor({ context, source }, heard) {
    context.audioWorklet.addModule("digits.js").then(() => {
      this.node = new AudioWorkletNode(context, "digits", { numberOfOutputs: 0 });
      this.node.port.onmessage = ({ data }) => heard(data);
      source.connect(this.node);
    });
  }
}

/** For how long no packet of sound came at most, in milliseconds, to 50 or so. */
export class GapMeter {
  longest = 0; // since `begin`
  longestOfAll = 0;

  constructor(receiver) {
    let [packets, since] = [0, null];
    setInterval(async () => {
      const reports = [...(await receiver.getStats()).values()];
      const received = reports.find((each) => each.type === "inbound-rtp")?.packetsReceived ?? 0;
      const now = performance.now();
      if (since !== null) {
        this.longest = Math.max(this.longest, Math.round(now - since));
        this.longestOfAll = Math.max(this.longestOfAll, Math.round(now - since));
      }
      if (received !== packets) [packets, since] = [received, now];
    }, 50);
  }

  begin() {
    this.longest = 0;
  }
}

/** Sees the mean colour of a track's pictures. */
export class Viewer {
  constructor(track) {
    this.video = document.createElement("video");
    Object.assign(this.video, { srcObject: new MediaStream([track]), autoplay: true, muted: true });
    document.body.append(this.video);
  }

  /** `[red, green, blue]`, 0 to 255; null before the first picture. */
  mean() {
    return this.video.videoWidth ? meanRGB(this.video, this.video.videoWidth, this.video.videoHeight) : null;
  }
}

function meanRGB(source, width, height) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(source, 0, 0);
  const pixels = context.getImageData(0, 0, width, height).data;
  const sums = [0, 0, 0];
  for (let at = 0; at < pixels.length; at += 4) for (let k = 0; k < 3; k++) sums[k] += pixels[at + k];
  return sums.map((sum) => Math.round((sum * 4) / pixels.length));
}

/** What tells the ICE path of the first transport from those before it; undefined without one. */
export function selectedPath(connection) {
  const [transport] = connection.getSenders().map((sender) => sender.transport?.iceTransport).filter(Boolean);
  const pair = transport?.getSelectedCandidatePair();
  const end = ({ address, port, usernameFragment }) => `${usernameFragment} ${address} ${port}`;
  return pair && `${end(pair.local)} ${end(pair.remote)}`;
}

/** The figures of getStats() that tell whether media flows, by kind, and how many pictures were `decoded`, by content. */
export async function flow(connection) {
  const reports = [...(await connection.getStats()).values()];
  const codec = (each) => reports.find((other) => other.id === each.codecId)?.mimeType;
  const pick = (type, kind, keys) => {
    const found = reports.find((each) => each.type === type && each.kind === kind);
    return found && { codec: codec(found), ...Object.fromEntries(keys.map((key) => [key, found[key]])) };
  };
  const inbound = [
    "packetsReceived", "packetsLost", "framesDecoded", "keyFramesDecoded", "framesDropped", "freezeCount", "frameWidth",
    "frameHeight", "concealedSamples", "nackCount", "pliCount",
  ];
  const outbound = [
    "packetsSent", "framesSent", "keyFramesEncoded", "frameWidth", "frameHeight", "nackCount", "pliCount",
    "retransmittedPacketsSent", "targetBitrate",
  ];
  const videos = reports.filter((each) => each.type === "inbound-rtp" && each.kind === "video");
  return {
    decoded: Object.fromEntries(videos.map((each) => [each.mid, each.framesDecoded])),
    transports: reports.filter((each) => each.type === "transport" && each.dtlsState === "connected").length,
    audio: { inbound: pick("inbound-rtp", "audio", inbound), outbound: pick("outbound-rtp", "audio", outbound) },
    video: { inbound: pick("inbound-rtp", "video", inbound), outbound: pick("outbound-rtp", "video", outbound) },
  };
}
