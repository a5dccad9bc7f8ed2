import MediaTime

// What goes out: blocks, as many as the window lets, and what the peer answers to them.
extension InBandStream {
  /// Sends what may be sent now, and closes when all is done that there was to do.
  mutating func fill(at now: Instant) {
    guard phase == .open, !isSuspended else { return }
    while outgoing.count > 0, underway.count < window.blocks {
      let isLast = isFinishing || peersClose != nil
      // A part of a block waits for more, unless it would be the only one under way.
      guard outgoing.count >= blockSize || isLast || underway.isEmpty else { break }
      sendBlock(at: now)
    }
    if wasFull, outgoing.count <= configuration.sendBuffer / 2 {
      wasFull = false
      outputs.append(.drained)
    }
    if undelivered > 0 || !underway.isEmpty {
      if deadline == nil { deadline = now + configuration.answerTimeout }
    } else if peersClose != nil {
      end(isFinishing ? .finished : .closedByPeer(undelivered: 0), saying: false)
    } else if isFinishing {
      sendClose()
      phase = .closing
      deadline = now + configuration.handshakeTimeout
    } else {
      deadline = nil
    }
  }

  private mutating func sendBlock(at now: Instant) {
    let count = min(blockSize, outgoing.count)
    let (number, sid) = (nextBlock, configuration.open.sid)
    nextBlock += 1
    // The number on the wire begins again after 65535.
    let block = outgoing.take(count) {
      InBandBytestream.Block(sid: sid, sequenceNumber: UInt16(truncatingIfNeeded: number), bytes: $0)
    }
    underway[number] = (count, now)
    bytesUnderway += count
    switch carrier {
    case .iq: request(block.element, id: String(number))
    case .message:
      let id = "\(configuration.idPrefix)-\(number)"
      outputs.append(.send(Message(id: id, to: configuration.peer, payloads: [block.element]).element))
    }
  }

  /// Takes the answer to something that this side sent.
  ///
  /// - Returns: whether it was this stream's.
  mutating func receiveAnswer(id: String, _ error: StanzaError?, at now: Instant) -> Bool {
    let prefix = configuration.idPrefix.utf8
    guard id.utf8.starts(with: prefix),
      let name = Substring(id.utf8.dropFirst(prefix.count)).split(separator: "-").first
    else { return false }
    switch phase {
    case .opening where name == "open\(blockSize)": answeredOpen(error, at: now)
    case .open:
      guard let number = UInt64(name), underway[number] != nil else { break }
      if let error {
        // What came after this block is of no use to the peer either.
        end(peersClose == nil ? .failed(.blockRefused(error)) : .closedByPeer(undelivered: undelivered))
      } else if carrier == .iq {
        answered(number, at: now)
        fill(at: now)
      }
    case .closing where name == "close":
      // That the peer does not know the stream any more is as good.
      end(.finished, saying: false)
    case .closing where error != nil && carrier == .message && UInt64(name) != nil:
      if let error { end(.failed(.blockRefused(error)), saying: false) }
    case .waiting, .opening, .closing, .ended: break  // Late, and of no consequence.
    }
    return true
  }

  private mutating func answeredOpen(_ error: StanzaError?, at now: Instant) {
    guard let error else { return opened(at: now) }
    if error.condition == .resourceConstraint, blockSize / 2 >= Self.minimumBlockSize {
      blockSize /= 2
      return sendOpen(at: now)
    }
    end(.failed(.refused(error)), saying: false)
  }

  mutating func opened(at now: Instant) {
    phase = .open
    deadline = nil
    outputs.append(.opened)
    fill(at: now)
  }

  /// The peer has a block.
  mutating func answered(_ number: UInt64, at now: Instant) {
    guard let block = underway[number] else { return }
    window.answered(number, next: nextBlock, after: now - block.sent, underway: underway.count, at: now)
    underway[number] = nil
    bytesUnderway -= block.bytes
    deadline = underway.isEmpty ? nil : now + configuration.answerTimeout
  }
}
