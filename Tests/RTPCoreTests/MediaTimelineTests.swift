import MediaTime
import Testing

@testable import RTPCore

/// A sender whose sound and pictures take different times to arrive.
private struct Sender {
  var timeline = MediaTimeline()
  /// The sender's wall clock at its moment zero, as its reports on each tell it; nil before the first one.
  var audioClock: NTPTime?
  var videoClock: NTPTime?
  var audioDelay = Duration.milliseconds(50)
  var videoDelay = Duration.milliseconds(50)

  static let start = Instant(nanoseconds: 7_000_000_000)
  static let wall = NTPTime(sinceUnixEpoch: .seconds(1_700_000_000))

  mutating func setClocks(_ time: NTPTime?) { (audioClock, videoClock) = (time, time) }

  /// What was captured so many milliseconds after the sender began.
  mutating func audio(_ milliseconds: Int, position: Int64? = nil) -> Duration {
    timeline.time(
      of: ReceivedAudioFrame(
        codec: .opus, payload: [0], position: position ?? Int64(milliseconds) * 48, duration: 960,
        arrival: Self.start + .milliseconds(milliseconds) + audioDelay,
        captureTime: audioClock.map { $0 + .milliseconds(milliseconds) }))
  }

  mutating func video(_ milliseconds: Int, position: Int64? = nil) -> Duration {
    timeline.time(
      of: ReceivedVideoFrame(
        codec: .vp8, payload: [0], isKeyFrame: false, timestamp: RTPTimestamp(rawValue: 0), temporalLayer: 0,
        firstArrival: Self.start + .milliseconds(milliseconds) + videoDelay,
        position: position ?? Int64(milliseconds) * 90, captureTime: videoClock.map { $0 + .milliseconds(milliseconds) }
      ))
  }
}

@Suite struct MediaTimelineTests {
  @Test func `zero is the first media, and without reports arrival and ticks decide`() {
    var sender = Sender()
    sender.videoDelay = .milliseconds(250)
    #expect(sender.audio(0) == .zero)
    #expect(sender.video(0) == .milliseconds(200))
    #expect(sender.audio(20) == .milliseconds(20))
    // A picture that took longer than the first one stands by its ticks all the same.
    sender.videoDelay = .milliseconds(700)
    #expect(sender.video(40) == .milliseconds(240))
  }

  @Test func `pictures alone begin at zero`() {
    var sender = Sender()
    sender.setClocks(Sender.wall)
    #expect(sender.video(1_000, position: 0) == .zero)
    #expect(sender.video(1_040, position: 3_600) == .milliseconds(40))
  }

  @Test func `sound that came before the first picture but is handed on after it begins at zero`() {
    var sender = Sender()
    #expect(sender.video(100, position: 0) == .zero)
    #expect(sender.audio(60, position: 0) == .zero)
    #expect(sender.audio(80, position: 960) == .milliseconds(20))
  }

  @Test func `with reports on both, pictures stand exactly beside their sound`() {
    var sender = Sender()
    sender.videoDelay = .milliseconds(350)
    _ = sender.audio(0)
    #expect(sender.video(0) == .milliseconds(300))
    sender.audioClock = Sender.wall
    _ = sender.audio(20)
    #expect(sender.video(40) == .milliseconds(340))
    sender.videoClock = Sender.wall
    _ = sender.audio(1_000)
    for time in stride(from: 1_000, to: 3_000, by: 33) {
      let difference = sender.video(time) - .milliseconds(time)
      #expect(difference < .microseconds(1) && difference > .microseconds(-1))
    }
  }

  @Test func `pictures that are moved back still follow each other`() {
    var sender = Sender()
    sender.videoDelay = .milliseconds(350)
    _ = sender.audio(0)
    var times = [sender.video(0), sender.video(33)]
    sender.setClocks(Sender.wall)
    _ = sender.audio(60)
    for time in stride(from: 66, to: 1_000, by: 33) { times.append(sender.video(time)) }
    #expect(zip(times, times.dropFirst()).allSatisfy { $0 < $1 })
    #expect(times.last.map { abs($0.inMilliseconds - 990) < 1 } == true)
  }

  @Test func `a sender whose clock is set goes on without a jump`() {
    for step in [Duration.seconds(3), .seconds(-3), .seconds(86_400), .milliseconds(300)] {
      var sender = Sender()
      sender.setClocks(Sender.wall)
      for time in stride(from: 0, to: 30_000, by: 20) {
        // Reports on sound tell of the new clock first, those on pictures six seconds later.
        if time == 10_000 { sender.audioClock = Sender.wall + step }
        if time == 16_000 { sender.videoClock = Sender.wall + step }
        #expect(sender.audio(time) == .milliseconds(time))
        let picture = sender.video(time)
        #expect(abs(picture.inMilliseconds - Double(time)) < 1)
      }
    }
  }

  @Test func `a place that holds for longer than reports take is believed`() throws {
    var sender = Sender()
    sender.setClocks(Sender.wall)
    sender.videoClock = Sender.wall + .seconds(2)
    var shifted: Int?
    for time in stride(from: 0, to: 20_000, by: 20) {
      if time == 5_000 { sender.videoClock = Sender.wall }
      _ = sender.audio(time)
      if time > 5_000, abs(sender.video(time).inMilliseconds - Double(time)) < 1_000 { shifted = shifted ?? time }
      if time <= 5_000 { #expect(abs(sender.video(time).inMilliseconds - Double(time + 2_000)) < 1) }
    }
    #expect(try #require(shifted) >= 15_000)
  }

  @Test func `reports that cannot be true are not believed`() {
    for clock in [NTPTime(rawValue: 0), Sender.wall + .seconds(-6), NTPTime(rawValue: .max)] {
      var sender = Sender()
      (sender.audioClock, sender.videoClock) = (Sender.wall, clock)
      for time in stride(from: 0, to: 25_000, by: 20) {
        _ = sender.audio(time)
        #expect(sender.video(time) == .milliseconds(time))
      }
    }
  }

  @Test func `any position and clock is safe`() {
    var sender = Sender()
    for position in [Int64.min, -1, 0, .max] {
      for clock in [UInt64.min, 1 << 63, .max] {
        sender.setClocks(NTPTime(rawValue: clock))
        _ = sender.audio(0, position: position)
        let time = sender.video(0, position: position)
        sender.timeline.playedAudio(at: .zero, now: Sender.start)
        let due = sender.timeline.playout(of: time, now: Sender.start)
        #expect(due >= Sender.start && due <= Sender.start + MediaTimeline.patience)
      }
    }
  }

  @Test func `a picture waits for the sound of its moment, and half a second at most`() {
    var timeline = MediaTimeline()
    let now = Sender.start
    #expect(timeline.playout(of: .seconds(5), now: now) == now)
    timeline.playedAudio(at: .seconds(4), now: now)
    #expect(timeline.playout(of: .milliseconds(4_200), now: now) == now + .milliseconds(200))
    let later = now + .milliseconds(150)
    #expect(timeline.playout(of: .milliseconds(4_200), now: later) == later + .milliseconds(50))
    #expect(timeline.playout(of: .milliseconds(3_000), now: later) == later)
    #expect(timeline.playout(of: .milliseconds(9_000), now: later) == later + .milliseconds(500))
    // The sound has stopped.
    #expect(timeline.playout(of: .milliseconds(5_600), now: now + .seconds(1)) == now + .seconds(1))
  }

  @Test func `the offset between sound and pictures is told once reports tell it`() throws {
    var sender = Sender()
    let now = Sender.start
    _ = (sender.audio(0), sender.video(0))
    sender.timeline.playedAudio(at: .zero, now: now)
    sender.timeline.shownVideo(at: .zero, now: now)
    #expect(sender.timeline.audioVideoOffset == nil)

    sender.setClocks(Sender.wall)
    _ = (sender.audio(20), sender.video(20))
    sender.timeline.playedAudio(at: .milliseconds(20), now: now)
    sender.timeline.shownVideo(at: .milliseconds(50), now: now)
    #expect(sender.timeline.audioVideoOffset == .milliseconds(30))
    sender.timeline.shownVideo(at: .milliseconds(50), now: now + .milliseconds(40))
    #expect(sender.timeline.audioVideoOffset == .milliseconds(-10))
    sender.timeline.shownVideo(at: .milliseconds(2_050), now: now + .seconds(2))
    #expect(sender.timeline.audioVideoOffset == nil)
  }
}
