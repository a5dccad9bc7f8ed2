import Carillon
import Foundation
import Synchronization
import XMPPCore

/// An XML stream over a pair of pipes, between a benchmark and a process that it started.
final class StanzaPipe: Sendable {
  /// What comes in; ends with the pipe. Not bounded: both ends belong to one benchmark.
  let incoming: AsyncStream<XMLElement>
  /// Ends with the pipe.
  let closed: AsyncStream<Never>
  private let output: FileHandle
  private let lock = Mutex(())

  init(input: FileHandle, output: FileHandle) {
    self.output = output
    let (incoming, continuation) = AsyncStream.makeStream(of: XMLElement.self)
    self.incoming = incoming
    let (closed, close) = AsyncStream.makeStream(of: Never.self)
    self.closed = closed
    let descriptor = input.fileDescriptor
    let reader = Thread {
      let parser = XMLStreamParser()
      _ = Array("<stream xmlns='\(Stanza.namespace)'>".utf8).withUnsafeBytes { parser.parse($0) }
      let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
      defer { buffer.deallocate() }
      while case let count = read(descriptor, buffer.baseAddress, buffer.count), count > 0 {
        for event in parser.parse(UnsafeRawBufferPointer(rebasing: buffer[..<count])) {
          if case .element(let element) = event { continuation.yield(element) }
        }
      }
      withExtendedLifetime(input) {
        continuation.finish()
        close.finish()
      }
    }
    reader.start()
  }

  /// Writes at once; may wait for the other end.
  func send(_ element: XMLElement) {
    let text = element.serialized(inside: Stanza.namespace)
    lock.withLock { _ in try? output.write(contentsOf: Data(text.utf8)) }
  }

  func close() { lock.withLock { _ in try? output.close() } }
}

/// A client's link over a pipe, at whose other end somebody stands in for the server.
struct PipeLink: StanzaLink {
  let address: JID
  let pipe: StanzaPipe
  /// Those for the client.
  let stanzas: AsyncStream<XMLElement>

  func receive(_ deliver: @Sendable (XMLElement) async -> Void) async -> String {
    for await stanza in stanzas { await deliver(stanza) }
    return "The benchmark is over."
  }

  func send(_ stanza: XMLElement) { pipe.send(stanza) }
  func close() async { pipe.close() }
}
