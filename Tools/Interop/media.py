"""What a recording holds, by FFmpeg."""

import array
import cmath
import json
import math
import subprocess

SECONDS = 30  # the limit of each FFmpeg


def ffmpeg(*arguments):
    """Its standard output and what it complains of."""
    command = ["ffmpeg", "-nostdin", "-v", "error", *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, timeout=SECONDS)
    return result.stdout, result.stderr.decode(errors="replace").strip()


def make_picture_file(path, width, height, seconds):
    """A Y4M file of one colour on which a small test picture moves; returns its mean colour."""
    field = f"color=c=0xC06030:s={width}x{height}:r=30"
    marker = f"testsrc2=s={width // 4}x{height // 4}:r=30"
    place = f"overlay=x='mod(n*4,{width}*3/4)':y={height // 3}"
    graph = f"{field}[field];{marker}[marker];[field][marker]{place},format=yuv420p"
    _, errors = ffmpeg("-y", "-filter_complex", graph, "-t", seconds, path)
    if errors:
        raise RuntimeError(f"ffmpeg: {errors}")
    return mean_colour(path, at=3)


def mean_colour(path, at):
    """[red, green, blue] of the second that begins `at` seconds after the start; None without pictures."""
    scale = "scale=1:1:flags=area,format=rgb24"
    pixels, _ = ffmpeg("-ss", at, "-t", 1, "-i", path, "-an", "-vf", scale, "-f", "rawvideo", "-")
    count = len(pixels) // 3
    return [round(sum(pixels[k::3]) / count) for k in range(3)] if count else None


def complaints(path):
    """What FFmpeg says against a file while it decodes all of it; empty is good."""
    return ffmpeg("-i", path, "-f", "null", "-")[1]


def video_frames(path):
    """How many coded pictures a file holds, and their codec."""
    command = ["ffprobe", "-v", "error", "-select_streams", "v", "-count_packets", "-of", "json",
               "-show_entries", "stream=nb_read_packets,codec_name", str(path)]
    result = subprocess.run(command, capture_output=True, timeout=SECONDS)
    streams = json.loads(result.stdout or "{}").get("streams", [])
    return (int(streams[0]["nb_read_packets"]), streams[0]["codec_name"]) if streams else (0, None)


def prevailing_tone(path):
    """The median, over a file's sounding tenths of seconds, of the strongest frequency in Hz; None for silence."""
    rate, length = 8000, 800
    decoded, _ = ffmpeg("-i", path, "-vn", "-ac", 1, "-ar", rate, "-f", "s16le", "-")
    samples = array.array("h", decoded)
    windows = [samples[start:start + length] for start in range(0, len(samples) - length + 1, length)]
    sounding = [window for window in windows if math.sqrt(sum(x * x for x in window) / length) > 300]
    chosen = sounding[::max(1, len(sounding) // 10)]
    tones = sorted(strongest_frequency(window, rate) for window in chosen)
    return tones[len(tones) // 2] if tones else None


def strongest_frequency(window, rate):
    """In Hz, by an FFT of the Hann-windowed samples and a parabola through the highest three bins."""
    size = 1 << (len(window) - 1).bit_length()
    shaped = [x * math.sin(math.pi * n / len(window)) ** 2 for n, x in enumerate(window)]
    spectrum = fft(shaped + [0.0] * (size - len(window)))[:size // 2]
    decibels = [math.log(abs(value) + 1e-9) for value in spectrum]
    peak = max(range(1, len(decibels) - 1), key=decibels.__getitem__)
    left, top, right = decibels[peak - 1:peak + 2]
    bend = left - 2 * top + right
    return (peak + ((left - right) / (2 * bend) if bend else 0)) * rate / size


def fft(values):
    """The discrete Fourier transform of a power-of-two number of values."""
    if len(values) == 1:
        return values
    even, odd = fft(values[::2]), fft(values[1::2])
    half = len(even)
    turned = [cmath.exp(-1j * math.pi * k / half) * odd[k] for k in range(half)]
    return [e + t for e, t in zip(even, turned)] + [e - t for e, t in zip(even, turned)]
