import CSCTP
import CSCTPShims
import Foundation
import MediaTime

/// Why an association is no more.
package enum SCTPFailure: Error, Hashable, Sendable {
  case noSocket
  /// The peer did not answer, at the beginning or any more.
  case lost
  /// The peer gave it up.
  case aborted
}

/// One SCTP association over a path of datagrams, which DTLS protects. Lives on the SCTP loop; not thread-safe.
///
/// Both ends connect; the two attempts become one association (RFC 9260 §5.2). What the handler is told comes from
/// within `receive`, `pump`, `resume`, `end` and the stack's timer, never from within `send`.
///
/// - Specification: RFC 8261, RFC 8831 §6, RFC 9260
final class SCTPAssociation {
  enum Event {
    case connected
    /// A part of a message, in order. The bytes are the caller's until the handler returns.
    case bytes(UnsafeRawBufferPointer, stream: UInt16, ppid: UInt32, isEnd: Bool)
    /// The peer ended streams of its own, having sent all that was in them; all of them when the list is empty.
    case endedStreams([UInt16])
    /// The peer knows that this side ended streams.
    case confirmedEnd([UInt16], isRefused: Bool)
    /// There is room to send again.
    case writable
    /// The peer has acknowledged everything.
    case acknowledged
    /// There is no more to come; with nil, because the peer shut down in good order.
    case closed(SCTPFailure?)
  }

  enum SendResult { case sent, full, failed }

  struct Configuration {
    var localPort: UInt16 = 5000
    var remotePort: UInt16 = 5000
    /// How often a packet is repeated before the peer counts as gone; ten times last some 40 s.
    var maximumRetransmissions: UInt16 = 10
  }

  /// Of SCTP's packet: what a datagram holds, less what a DTLS record adds.
  ///
  /// - Specification: RFC 8261 §5
  static let mtu = (DTLSTransport.mtu - DTLSTransport.overhead) & ~3
  /// In either direction: at 80 ms round trip 20 MB/s, as usrsctp counts a quarter more than the bytes.
  static let bufferSize = 2 << 20
  static let maximumStreams: UInt16 = 1024
  /// A message that is longer comes in parts.
  private static let readSize = 65_536

  /// Whether what arrives is handed on at once; otherwise the peer may send until the receive buffer is full.
  var isReading = true
  /// Something happened to the socket since the last look.
  var isWoken = false

  private let send: (UnsafeRawBufferPointer) -> Void
  private let handle: (Event) -> Void
  private let configuration: Configuration
  private var socket: OpaquePointer?
  private var address: UnsafeMutableRawPointer?
  private var pacer = SCTPPacer()
  private let pacing = LoopSource()
  private var isPumping = false
  private var isFlushing = false
  /// Streams to be ended, the first of which the peer may have been asked about.
  private var ends: [UInt16] = []
  private var isEnding = false
  private var isConnected = false
  private var isBlocked = false
  private var isDraining = false
  private var isDrained = false
  private var wasAborted = false

  /// - Parameters:
  ///   - send: carries one packet to the peer.
  ///   - handle: is told what happens, until `close`.
  init(
    _ configuration: Configuration = Configuration(), send: @escaping (UnsafeRawBufferPointer) -> Void,
    handle: @escaping (Event) -> Void
  ) {
    self.configuration = configuration
    self.send = send
    self.handle = handle
  }

  deinit {
    close()
  }

  /// - Throws: `noSocket`.
  func connect() throws(SCTPFailure) {
    precondition(address == nil, "an association connects once")
    let address = SCTPStack.shared.add(self)
    self.address = address
    pacing.attach(to: SCTPStack.shared.loop.context) { [weak self] in self?.flush() }
    guard let socket = usrsctp_socket(AF_CONN, Int32(SOCK_STREAM.rawValue), Int32(IPPROTO_SCTP), nil, nil, 0, nil)
    else {
      close()
      throw .noSocket
    }
    self.socket = socket
    usrsctp_set_upcall(socket, SCTPStack.woken, address)
    guard configure(socket), bind(socket, address), begin(socket, address) else {
      close()
      throw .noSocket
    }
    flush()
  }

  /// Takes one packet that came from the peer.
  func receive(_ packet: UnsafeRawBufferPointer) {
    guard let address, packet.count >= SCTPAssociation.minimumPacket, packet.count <= Int(UInt16.max) else { return }
    // An abort makes usrsctp forget what was not read yet.
    if packet[12] == UInt8(SCTP_ABORT_ASSOCIATION) {
      wasAborted = true
      drain()
    }
    usrsctp_conninput(address, packet.baseAddress, packet.count, 0)
    pump()
    flush()
  }

  /// The common header and one chunk's.
  private static let minimumPacket = 16

  /// Hands on what has arrived, as far as it is to be read.
  func pump() {
    guard isWoken, !isPumping else { return }
    isWoken = false
    isPumping = true
    defer { isPumping = false }
    if isReading || isDraining { read() }
    flush()
  }

  /// Hands on again what arrives.
  func resume() {
    isReading = true
    isWoken = true
    pump()
  }

  /// Hands on all that has arrived, wanted or not, before it is lost. Once: nobody can fill the memory with it.
  func drain() {
    guard !isDrained else { return }
    isDrained = true
    isDraining = true
    isWoken = true
    pump()
    isDraining = false
  }

  /// Sends a message, ordered and reliable, or nothing of it when there is no room; `writable` follows then.
  func send(_ message: UnsafeRawBufferPointer, stream: UInt16, ppid: UInt32) -> SendResult {
    guard let socket, isConnected else { return .failed }
    var info = sctp_sndinfo()
    info.snd_sid = stream
    info.snd_ppid = ppid.bigEndian
    let size = socklen_t(MemoryLayout<sctp_sndinfo>.size)
    if usrsctp_sendv(
      socket, message.baseAddress, message.count, nil, 0, &info, size, UInt32(SCTP_SENDV_SNDINFO), 0) >= 0
    {
      flush()
      return .sent
    }
    guard errno == EAGAIN || errno == EWOULDBLOCK else { return .failed }
    isBlocked = true
    return .full
  }

  /// Ends a stream that goes out, once all that was sent on it has arrived; `confirmedEnd` follows.
  ///
  /// - Specification: RFC 6525 §5.1.2, RFC 8831 §6.7
  func end(_ stream: UInt16) {
    guard ends.count < Self.maximumStreams, !ends.contains(stream) else { return }
    ends.append(stream)
    endNext()
    flush()
  }

  /// Asks for one end at a time, as the protocol has it.
  private func endNext() {
    guard let socket, isConnected, !isEnding, let stream = ends.first else { return }
    isEnding = carillon_sctp_reset_stream(socket, stream) == 0
    if !isEnding, errno != EALREADY, errno != EAGAIN {
      // The peer knows no ends.
      ends.removeFirst()
      handle(.confirmedEnd([stream], isRefused: true))
    }
  }

  /// Tells the peer, unless it knows, and lets go. What is under way is lost.
  func close() {
    if let socket {
      usrsctp_set_upcall(socket, nil, nil)
      usrsctp_close(socket)  // An abort, since it does not linger.
    }
    socket = nil
    pacer.takeLast()?.withUnsafeBytes { send($0) }
    pacing.destroy()
    if let address { SCTPStack.shared.remove(address) }
    address = nil
    isConnected = false
  }

  // MARK: Sending

  /// Takes a packet from usrsctp, to be sent when that has returned: whatever sending leads to may call in here again.
  func output(_ packet: UnsafeRawBufferPointer) {
    pacer.append(packet)
  }

  /// What the timer does: time has passed within usrsctp.
  func tick() {
    if pacer.isBusy, let path = status?.sstat_primary {
      pacer.update(window: Int(path.spinfo_cwnd), roundTrip: .milliseconds(Int(path.spinfo_srtt)))
    }
    isWoken = true
    pump()
    // There may be room: usrsctp's own word for it counts otherwise and comes late. Not with every acknowledgement,
    // since the buffer lasts much longer than a tick.
    if isBlocked {
      isBlocked = false
      handle(.writable)
    }
    endNext()
    flush()
  }

  private var status: sctp_status? {
    guard let socket else { return nil }
    var status = sctp_status()
    var size = socklen_t(MemoryLayout<sctp_status>.size)
    return usrsctp_getsockopt(socket, Int32(IPPROTO_SCTP), SCTP_STATUS, &status, &size) == 0 ? status : nil
  }

  private func flush() {
    guard !isFlushing else { return }
    isFlushing = true
    defer { isFlushing = false }
    pacer.begin(at: SystemClock.now)
    withUnsafeTemporaryAllocation(byteCount: SCTPPacer.maximumPacket, alignment: 8) { buffer in
      while true {
        switch pacer.next(into: buffer) {
        case .packet(let count): send(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        case .wait(let delay): return pacing.fire(after: delay)
        case .nothing: return
        }
      }
    }
  }

  // MARK: Reading

  private func read() {
    withUnsafeTemporaryAllocation(byteCount: SCTPAssociation.readSize, alignment: 8) { buffer in
      while isReading || isDraining, let socket {
        var info = sctp_rcvinfo()
        var infoSize = socklen_t(MemoryLayout<sctp_rcvinfo>.size)
        var infoType: UInt32 = 0
        var flags: Int32 = 0
        let count = usrsctp_recvv(
          socket, buffer.baseAddress, buffer.count, nil, nil, &info, &infoSize, &infoType, &flags)
        if count < 0, errno == EAGAIN || errno == EWOULDBLOCK { return }
        guard count > 0 else { return closed(count == 0 && isConnected ? nil : failure) }
        let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
        if flags & MSG_NOTIFICATION != 0 {
          notified(bytes)
        } else if infoType == SCTP_RECVV_RCVINFO {
          handle(
            .bytes(
              bytes, stream: info.rcv_sid, ppid: UInt32(bigEndian: info.rcv_ppid), isEnd: flags & Int32(MSG_EOR) != 0))
        }
      }
    }
  }

  private func closed(_ failure: SCTPFailure?) {
    guard socket != nil else { return }
    close()
    handle(.closed(failure))
  }

  private var failure: SCTPFailure { wasAborted ? .aborted : .lost }

  private func notified(_ bytes: UnsafeRawBufferPointer) {
    guard bytes.count >= 8 else { return }
    let flags = bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self)
    switch Int32(bytes.loadUnaligned(as: UInt16.self)) {
    case SCTP_ASSOC_CHANGE:
      guard bytes.count >= MemoryLayout<sctp_assoc_change>.size else { return }
      changed(Int32(bytes.loadUnaligned(as: sctp_assoc_change.self).sac_state))
    case SCTP_STREAM_RESET_EVENT:
      let header = MemoryLayout<sctp_stream_reset_event>.size
      guard bytes.count >= header else { return }
      let streams = stride(from: header, to: bytes.count - 1, by: 2).map {
        bytes.loadUnaligned(fromByteOffset: $0, as: UInt16.self)
      }
      let isRefused = Int32(flags) & (SCTP_STREAM_RESET_DENIED | SCTP_STREAM_RESET_FAILED) != 0
      if Int32(flags) & SCTP_STREAM_RESET_INCOMING_SSN != 0, !isRefused { handle(.endedStreams(streams)) }
      if Int32(flags) & SCTP_STREAM_RESET_OUTGOING_SSN != 0 {
        isEnding = false
        ends.removeAll { streams.isEmpty || streams.contains($0) }
        handle(.confirmedEnd(streams, isRefused: isRefused))
      }
    case SCTP_SENDER_DRY_EVENT:
      // It may have been before something else was sent. What usrsctp calls pending may have gone long ago.
      if status?.sstat_unackdata == 0 { handle(.acknowledged) }
    default: break
    }
  }

  private func changed(_ state: Int32) {
    switch state {
    case SCTP_COMM_UP:
      guard !isConnected else { return }
      isConnected = true
      handle(.connected)
    case SCTP_COMM_LOST, SCTP_CANT_STR_ASSOC: closed(failure)
    case SCTP_SHUTDOWN_COMP: closed(nil)
    default: break
    }
  }

  // MARK: Set-up

  private func configure(_ socket: OpaquePointer) -> Bool {
    func set<Value>(_ option: Int32, _ value: Value, level: Int32 = Int32(IPPROTO_SCTP)) -> Bool {
      withUnsafeBytes(of: value) {
        usrsctp_setsockopt(socket, level, option, $0.baseAddress, socklen_t($0.count)) == 0
      }
    }
    var initial = sctp_initmsg()
    initial.sinit_num_ostreams = Self.maximumStreams
    initial.sinit_max_instreams = Self.maximumStreams
    initial.sinit_max_attempts = configuration.maximumRetransmissions
    initial.sinit_max_init_timeo = 2000
    var association = sctp_assocparams()
    association.sasoc_asocmaxrxt = configuration.maximumRetransmissions
    var timeouts = sctp_rtoinfo()
    timeouts.srto_initial = 1000
    timeouts.srto_min = 400
    timeouts.srto_max = 5000
    let linger = linger(l_onoff: 1, l_linger: 0)
    let size = UInt32(Self.bufferSize)
    let resets = UInt32(SCTP_ENABLE_RESET_STREAM_REQ)
    var isSet =
      usrsctp_set_non_blocking(socket, 1) == 0 && set(SO_LINGER, linger, level: SOL_SOCKET)
      && set(SO_SNDBUF, size, level: SOL_SOCKET) && set(SO_RCVBUF, size, level: SOL_SOCKET)
      && set(SCTP_NODELAY, UInt32(1)) && set(SCTP_RECVRCVINFO, UInt32(1)) && set(SCTP_INITMSG, initial)
      && set(SCTP_ASSOCINFO, association) && set(SCTP_RTOINFO, timeouts)
      && set(SCTP_ENABLE_STREAM_RESET, sctp_assoc_value(assoc_id: UInt32(SCTP_ALL_ASSOC), assoc_value: resets))
    for event in [SCTP_ASSOC_CHANGE, SCTP_STREAM_RESET_EVENT, SCTP_SENDER_DRY_EVENT] {
      let wish = sctp_event(se_assoc_id: UInt32(SCTP_ALL_ASSOC), se_type: UInt16(event), se_on: 1)
      isSet = isSet && set(SCTP_EVENT, wish)
    }
    return isSet
  }

  private func conn(_ address: UnsafeMutableRawPointer, port: UInt16) -> sockaddr_conn {
    var conn = sockaddr_conn()
    conn.sconn_family = UInt16(AF_CONN)
    conn.sconn_port = port.bigEndian
    conn.sconn_addr = address
    return conn
  }

  private func bind(_ socket: OpaquePointer, _ address: UnsafeMutableRawPointer) -> Bool {
    var local = conn(address, port: configuration.localPort)
    let size = socklen_t(MemoryLayout<sockaddr_conn>.size)
    return withUnsafeMutablePointer(to: &local) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { usrsctp_bind(socket, $0, size) == 0 }
    }
  }

  /// Sends the first packet.
  private func begin(_ socket: OpaquePointer, _ address: UnsafeMutableRawPointer) -> Bool {
    var remote = conn(address, port: configuration.remotePort)
    let size = socklen_t(MemoryLayout<sockaddr_conn>.size)
    let isBegun = withUnsafeMutablePointer(to: &remote) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        usrsctp_connect(socket, $0, size) == 0 || errno == EINPROGRESS
      }
    }
    guard isBegun else { return false }
    var path = sctp_paddrparams()
    path.spp_pathmtu = UInt32(Self.mtu)
    path.spp_flags = UInt32(SPP_PMTUD_DISABLE | SPP_HB_ENABLE)
    path.spp_hbinterval = 10_000
    withUnsafeMutableBytes(of: &path.spp_address) { place in
      withUnsafeBytes(of: remote) { place.copyMemory(from: $0) }
    }
    return withUnsafeBytes(of: path) {
      usrsctp_setsockopt(
        socket, Int32(IPPROTO_SCTP), SCTP_PEER_ADDR_PARAMS, $0.baseAddress, socklen_t($0.count)) == 0
    }
  }
}
