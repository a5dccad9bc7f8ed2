package import MediaTime

// What comes from the peer.
extension InBandStream {
  /// Takes an iq.
  ///
  /// - Returns: false when it is not this stream's. If it is nobody else's, `InBandBytestream.refusal` answers.
  package mutating func receive(_ iq: IQ, at now: Instant) -> Bool {
    guard iq.from == configuration.peer else { return false }
    switch iq.content {
    case .result: return receiveAnswer(id: iq.id, nil, at: now)
    case .error(let error): return receiveAnswer(id: iq.id, error, at: now)
    case .get: return false
    case .set(let element):
      guard InBandBytestream.sid(of: element) == configuration.open.sid, phase != .ended else { return false }
      do {
        switch element.name {
        case "open": try receiveOpen(InBandBytestream.Open(element), iq, at: now)
        case "data" where phase != .waiting && phase != .opening:
          try receiveBlock(InBandBytestream.Block(element), iq)
        case "close" where phase != .waiting: receiveClose(iq, at: now)
        default: return false
        }
      } catch {
        outputs.append(.send(iq.reply(.error(error)).element))
      }
      return true
    }
  }

  /// Takes a message: a block, or one of ours that came back.
  ///
  /// - Returns: false when it is not this stream's.
  package mutating func receive(_ message: Message, at now: Instant) -> Bool {
    guard message.from == configuration.peer else { return false }
    if message.type == .error {
      guard let id = message.id, let error = message.error else { return false }
      return receiveAnswer(id: id, error, at: now)
    }
    guard let element = message.first("data", InBandBytestream.namespace),
      InBandBytestream.sid(of: element) == configuration.open.sid, phase == .open || phase == .closing
    else { return false }
    do {
      try receiveBlock(InBandBytestream.Block(element), nil)
    } catch {
      end(.failed(.badBlock(error)))
    }
    return true
  }

  private mutating func receiveOpen(
    _ open: InBandBytestream.Open, _ iq: IQ, at now: Instant
  ) throws(StanzaError) {
    guard phase == .waiting else {
      throw StanzaError(.notAcceptable, type: .cancel, text: "the bytestream is open already")
    }
    guard open.blockSize <= configuration.open.blockSize else {
      throw StanzaError(.resourceConstraint, type: .modify, text: "blocks of \(configuration.open.blockSize) at most")
    }
    blockSize = open.blockSize
    // Both kinds are taken. Messages are sent only where that was agreed: nothing holds them back but what the network
    // takes, which not everybody is told.
    if open.carrier == .iq { carrier = .iq }
    outputs.append(.send(iq.reply(.result(nil)).element))
    opened(at: now)
  }

  /// - Parameter iq: what is to be answered; nil for a message.
  private mutating func receiveBlock(_ block: InBandBytestream.Block, _ iq: IQ?) throws(StanzaError) {
    // After its own wish to close the peer has nothing more to send.
    guard peersClose == nil else { throw StanzaError(.itemNotFound) }
    let answer = iq?.reply(.result(nil))
    guard block.sequenceNumber == nextSequenceNumber else {
      refuse(iq, StanzaError(.unexpectedRequest, type: .cancel))
      return end(.failed(.outOfSequence(expected: nextSequenceNumber, received: block.sequenceNumber)))
    }
    let bytes: [UInt8]
    do {
      bytes = try block.bytes(upTo: blockSize)
    } catch {
      refuse(iq, error)
      return end(.failed(.badBlock(error)))
    }
    nextSequenceNumber &+= 1
    unconsumed += bytes.count
    guard unconsumed <= configuration.receiveBuffer * 4, heldAnswers.count < Self.maximumHeldAnswers else {
      refuse(iq, StanzaError(.resourceConstraint, type: .cancel))
      return end(.failed(.overrun))
    }
    if !bytes.isEmpty { outputs.append(.received(bytes)) }
    guard let answer else { return }
    if unconsumed <= configuration.receiveBuffer {
      outputs.append(.send(answer.element))
    } else {
      heldAnswers.append(answer)
    }
  }

  private mutating func receiveClose(_ iq: IQ, at now: Instant) {
    releaseAnswers()
    switch phase {
    case .opening:
      peersClose = iq
      end(.closedByPeer(undelivered: undelivered))
    case .closing:
      // Both wish it at once.
      peersClose = iq
      end(.finished, saying: false)
    case .open where peersClose == nil:
      peersClose = iq
      fill(at: now)
    case .open, .waiting, .ended: outputs.append(.send(iq.reply(.result(nil)).element))
    }
  }

  private mutating func refuse(_ iq: IQ?, _ error: StanzaError) {
    if let iq { outputs.append(.send(iq.reply(.error(error)).element)) }
  }
}
