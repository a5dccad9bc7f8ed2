import Foundation
import MediaTime
import Testing

@testable import MediaEngine

/// Two data channels on the SCTP loop, and a path between them that delays, loses and reorders as a seed has it.
actor MemoryLink {
  struct Faults: Sendable {
    /// In one direction.
    var delay = Duration.zero
    /// Of a thousand packets.
    var losses = 0
    /// Of a thousand packets; each is 5 ms late.
    var reordered = 0
    var seed: UInt64 = 1
  }

  nonisolated var unownedExecutor: UnownedSerialExecutor { SCTPStack.shared.loop.asUnownedSerialExecutor() }

  private let faults: Faults
  private var random: Generator
  private var channels: [DataChannel] = []
  /// In the first channel's place.
  private var stranger: SCTPAssociation?
  private var isStrangerConnected = false
  private var underWay: [(at: Instant, to: Int, packet: [UInt8])] = []
  private var head = 0
  private let timer = LoopSource()
  private var isCut = false
  private(set) var packets = 0
  /// What the second channel was sent lately; for an attacker to play with.
  private(set) var recent: [[UInt8]] = []

  init(_ faults: Faults = Faults()) {
    self.faults = faults
    random = Generator(seed: faults.seed)
  }

  func open(sendLimit: Int = 65_536, maximumRetransmissions: UInt16 = 10) async {
    attach()
    for side in 0..<2 {
      var configuration = DataChannel.Configuration(role: side == 0 ? .client : .server)
      configuration.sendLimit = sendLimit
      configuration.label = "file"
      configuration.association.maximumRetransmissions = maximumRetransmissions
      channels.append(
        DataChannel(
          configuration,
          send: { [weak self] packet in
            nonisolated(unsafe) let packet = packet  // Read before the call returns.
            self?.assumeIsolated { $0.take(packet, to: 1 - side) }
          }, changed: {}))
    }
    for channel in channels { channel.connect() }
  }

  /// A data channel, and at the other end an association that says whatever it is told to.
  func openToStranger() async throws {
    attach()
    channels = [DataChannel(.init(role: .client), send: { _ in }, changed: {})]
    let stranger = SCTPAssociation(
      send: { [weak self] packet in
        nonisolated(unsafe) let packet = packet
        self?.assumeIsolated { $0.take(packet, to: 1) }
      },
      handle: { [weak self] event in
        guard case .connected = event else { return }
        self?.assumeIsolated { $0.isStrangerConnected = true }
      })
    self.stranger = stranger
    channels.append(
      DataChannel(
        .init(role: .server),
        send: { [weak self] packet in
          nonisolated(unsafe) let packet = packet
          self?.assumeIsolated { $0.take(packet, to: 0) }
        }, changed: {}))
    channels[1].connect()
    try stranger.connect()
    while !isStrangerConnected { try await Task.sleep(for: .milliseconds(1)) }
  }

  /// What the stranger says.
  func say(_ message: [UInt8], stream: UInt16, ppid: UInt32) -> Bool {
    message.withUnsafeBytes { stranger?.send($0, stream: stream, ppid: ppid) } == .sent
  }

  func endStranger(_ stream: UInt16) { stranger?.end(stream) }

  func close() {
    stranger?.close()
    stranger = nil
    for channel in channels { channel.close() }
    channels = []
    timer.destroy()
  }

  func send(_ side: Int, _ bytes: [UInt8]) async throws { try await channels[side].send(bytes[...]) }
  func finish(_ side: Int) async throws { try await channels[side].finish() }
  func next(_ side: Int) async throws -> [UInt8]? { try await channels[side].next() }
  func close(_ side: Int) { channels[side].close() }
  func failure(_ side: Int) -> DataChannelFailure? { channels[side].failure }
  func cut() { isCut = true }
  func inject(_ packet: [UInt8], to side: Int) {
    packet.withUnsafeBytes { if side == 0, let stranger { stranger.receive($0) } else { channels[side].receive($0) } }
  }

  /// All that comes on a side until the end of the stream.
  func all(_ side: Int) async throws -> [UInt8] {
    var bytes: [UInt8] = []
    while let chunk = try await channels[side].next() { bytes += chunk }
    return bytes
  }

  private func attach() {
    timer.attach(to: SCTPStack.shared.loop.context) { [weak self] in self?.assumeIsolated { $0.deliver() } }
  }

  private func take(_ packet: UnsafeRawBufferPointer, to side: Int) {
    packets += 1
    if isCut || Int.random(in: 0..<1000, using: &random) < faults.losses { return }
    if side == 1 {
      recent.append(Array(packet))
      if recent.count > 64 { recent.removeFirst() }
    }
    var at = SystemClock.now + faults.delay
    if Int.random(in: 0..<1000, using: &random) < faults.reordered { at = at + .milliseconds(5) }
    var index = underWay.count
    while index > head, underWay[index - 1].at > at { index -= 1 }
    underWay.insert((at, side, Array(packet)), at: index)
    timer.fire(after: max(.zero, underWay[head].at - SystemClock.now))
  }

  private func deliver() {
    let now = SystemClock.now
    var turn = 256
    while head < underWay.count, underWay[head].at <= now, turn > 0 {
      turn -= 1
      let (_, side, packet) = underWay[head]
      head += 1
      if side < channels.count { inject(packet, to: side) }
    }
    if head > 1024, head > underWay.count / 2 {
      underWay.removeSubrange(..<head)
      head = 0
    }
    if head < underWay.count { timer.fire(after: max(.zero, underWay[head].at - SystemClock.now)) }
  }
}

/// Bytes that repeat nowhere near.
func noise(_ count: Int, seed: UInt64 = 7) -> [UInt8] {
  var random = Generator(seed: seed)
  var bytes: [UInt8] = []
  bytes.reserveCapacity(count + 8)
  while bytes.count < count { withUnsafeBytes(of: random.next()) { bytes.append(contentsOf: $0) } }
  return Array(bytes.prefix(count))
}
