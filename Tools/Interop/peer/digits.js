// Finds telephone digits in sound. Runs beside the sound, so that a busy page misses none.

const low = [697, 770, 852, 941];
const high = [1209, 1336, 1477, 1633];
const keys = ["123A", "456B", "789C", "*0#D"];
const length = 2048; // tells 697 Hz from 770 Hz, and goes several times into the shortest digit
const step = 512;

/** The amplitude of a frequency in samples, by Goertzel's algorithm under a Hann window. */
function amplitude(samples, hertz) {
  const turn = 2 * Math.cos((2 * Math.PI * hertz) / sampleRate);
  let [one, two] = [0, 0];
  samples.forEach((sample, n) => {
    const shaped = sample * Math.sin((Math.PI * n) / samples.length) ** 2;
    [one, two] = [shaped + turn * one - two, one];
  });
  return (4 * Math.sqrt(Math.max(0, one * one + two * two - turn * one * two))) / samples.length;
}

/** The index of the frequency that stands out; null if none does. */
function outstanding(samples, group) {
  const amplitudes = group.map((hertz) => amplitude(samples, hertz));
  const best = amplitudes.indexOf(Math.max(...amplitudes));
  const others = amplitudes.filter((_, index) => index !== best);
  return amplitudes[best] > 0.01 && amplitudes[best] > 4 * Math.max(...others) ? best : null;
}

/** Posts each digit once, when it has sounded for two steps. */
class Digits extends AudioWorkletProcessor {
  samples = new Float32Array(length);
  fresh = 0;
  last = null;
  count = 0;

  process([[channel]]) {
    if (!channel) return true;
    this.samples.copyWithin(0, channel.length);
    this.samples.set(channel, length - channel.length);
    this.fresh += channel.length;
    if (this.fresh < step) return true;
    this.fresh = 0;
    const [row, column] = [low, high].map((group) => outstanding(this.samples, group));
    const digit = row === null || column === null ? null : keys[row][column];
    this.count = digit === this.last ? this.count + 1 : 1;
    this.last = digit;
    if (digit && this.count === 2) this.port.postMessage(digit);
    return true;
  }
}

registerProcessor("digits", Digits);
