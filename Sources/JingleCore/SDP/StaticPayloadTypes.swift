extension RTPPayloadType {
  /// What an m-line's payload type means when nothing else is said of it; nil when that is not laid down.
  ///
  /// - Specification: RFC 3551 §6, XEP-0167 §6
  static func `static`(_ id: UInt8) -> RTPPayloadType? {
    let meaning: (name: String, clockrate: UInt32, channels: UInt8?)? =
      switch id {
      case 0: ("PCMU", 8000, nil)
      case 3: ("GSM", 8000, nil)
      case 4: ("G723", 8000, nil)
      case 5: ("DVI4", 8000, nil)
      case 6: ("DVI4", 16_000, nil)
      case 7: ("LPC", 8000, nil)
      case 8: ("PCMA", 8000, nil)
      case 9: ("G722", 8000, nil)
      case 10: ("L16", 44_100, 2)
      case 11: ("L16", 44_100, nil)
      case 12: ("QCELP", 8000, nil)
      case 13: ("CN", 8000, nil)
      case 14: ("MPA", 90_000, nil)
      case 15: ("G728", 8000, nil)
      case 16: ("DVI4", 11_025, nil)
      case 17: ("DVI4", 22_050, nil)
      case 18: ("G729", 8000, nil)
      case 25: ("CelB", 90_000, nil)
      case 26: ("JPEG", 90_000, nil)
      case 28: ("nv", 90_000, nil)
      case 31: ("H261", 90_000, nil)
      case 32: ("MPV", 90_000, nil)
      case 33: ("MP2T", 90_000, nil)
      case 34: ("H263", 90_000, nil)
      default: nil
      }
    return meaning.map {
      RTPPayloadType(id: id, name: $0.name, clockrate: $0.clockrate, channels: $0.channels)
    }
  }
}
