public import XMPPCore

/// An XMPP address (RFC 7622): `alice@example.org`, or with a device's resource `alice@example.org/phone`.
public typealias JID = XMPPCore.JID
