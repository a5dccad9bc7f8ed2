/// What real clients answer to disco#info, with the verification string that they advertise at the end of the node.
enum RealClients {
  static let answers = [
    """
    <query xmlns='http://jabber.org/protocol/disco#info' node='https://dino.im#6ggwrxA97IN314qDlU0ic5OWBEc='>\
    <feature var='urn:xmpp:jingle:apps:rtp:1'/><feature var='urn:xmpp:blocking'/>\
    <feature var='urn:xmpp:bookmarks:1+notify'/><feature var='urn:xmpp:jingle:apps:file-transfer:5'/>\
    <feature var='urn:xmpp:avatar:metadata+notify'/><feature var='urn:xmpp:jingle:transports:ice-udp:1'/>\
    <feature var='urn:xmpp:jingle:apps:rtp:audio'/><feature var='urn:xmpp:jingle:apps:rtp:video'/>\
    <feature var='urn:xmpp:receipts'/><feature var='urn:xmpp:message-correct:0'/>\
    <feature var='urn:xmpp:chat-markers:0'/><feature var='urn:xmpp:reactions:0'/>\
    <feature var='urn:xmpp:jingle:transports:s5b:1'/><feature var='urn:xmpp:jingle:transports:ibb:1'/>\
    <feature var='http://jabber.org/protocol/caps'/><feature var='http://jabber.org/protocol/disco#info'/>\
    <feature var='http://jabber.org/protocol/chatstates'/><feature var='urn:xmpp:jingle:jet-omemo:0'/>\
    <feature var='http://jabber.org/protocol/muc'/><feature var='urn:xmpp:jingle:jet:0'/>\
    <feature var='urn:xmpp:jingle-message:0'/><feature var='urn:xmpp:jingle:transports:raw-udp:1'/>\
    <feature var='urn:xmpp:carbons:2'/><feature var='urn:xmpp:jingle:1'/><feature var='urn:xmpp:ping'/>\
    <feature var='urn:xmpp:jingle:muji:0'/><feature var='urn:xmpp:jingle:apps:dtls:0'/>\
    <feature var='eu.siacs.conversations.axolotl.devicelist+notify'/>\
    <identity category='client' type='pc' name='Dino'/></query>
    """,
    """
    <query xmlns='http://jabber.org/protocol/disco#info' node='https://gajim.org#CBGPgjT52FLRG/LcWhUjwjxWuIs='>\
    <identity category='client' type='pc' name='Gajim'/><feature var='http://jabber.org/protocol/bytestreams'/>\
    <feature var='http://jabber.org/protocol/muc'/><feature var='http://jabber.org/protocol/commands'/>\
    <feature var='http://jabber.org/protocol/disco#info'/><feature var='jabber:iq:last'/>\
    <feature var='jabber:x:data'/><feature var='jabber:x:encrypted'/><feature var='urn:xmpp:ping'/>\
    <feature var='http://jabber.org/protocol/chatstates'/><feature var='urn:xmpp:receipts'/>\
    <feature var='urn:xmpp:time'/><feature var='jabber:iq:version'/>\
    <feature var='http://jabber.org/protocol/rosterx'/><feature var='urn:xmpp:sec-label:0'/>\
    <feature var='jabber:x:conference'/><feature var='urn:xmpp:message-correct:0'/>\
    <feature var='urn:xmpp:chat-markers:0'/><feature var='urn:xmpp:eme:0'/>\
    <feature var='http://jabber.org/protocol/xhtml-im'/><feature var='urn:xmpp:hashes:2'/>\
    <feature var='urn:xmpp:hash-function-text-names:md5'/><feature var='urn:xmpp:hash-function-text-names:sha-1'/>\
    <feature var='urn:xmpp:hash-function-text-names:sha-256'/>\
    <feature var='urn:xmpp:hash-function-text-names:sha-512'/>\
    <feature var='urn:xmpp:hash-function-text-names:sha3-256'/>\
    <feature var='urn:xmpp:hash-function-text-names:sha3-512'/>\
    <feature var='urn:xmpp:hash-function-text-names:id-blake2b256'/>\
    <feature var='urn:xmpp:hash-function-text-names:id-blake2b512'/><feature var='urn:xmpp:jingle:1'/>\
    <feature var='urn:xmpp:jingle:apps:file-transfer:5'/><feature var='urn:xmpp:jingle:transports:s5b:1'/>\
    <feature var='urn:xmpp:jingle:transports:ibb:1'/><feature var='urn:xmpp:avatar:metadata+notify'/>\
    <feature var='urn:xmpp:message-moderate:0'/><feature var='http://jabber.org/protocol/tune+notify'/>\
    <feature var='http://jabber.org/protocol/geoloc+notify'/>\
    <feature var='http://jabber.org/protocol/nick+notify'/></query>
    """,
    """
    <query xmlns='http://jabber.org/protocol/disco#info' node='https://github.com/qxmpp-project/qxmpp#1GgGAZ+VkHWZj4CuMozHkXuYxwU='>\
    <identity category='client' type='pc' name='qxpeer '/><feature var='jabber:x:data'/>\
    <feature var='http://jabber.org/protocol/rsm'/><feature var='jabber:x:oob'/>\
    <feature var='http://jabber.org/protocol/xhtml-im'/><feature var='http://jabber.org/protocol/chatstates'/>\
    <feature var='http://jabber.org/protocol/caps'/><feature var='urn:xmpp:ping'/>\
    <feature var='jabber:x:conference'/><feature var='urn:xmpp:message-correct:0'/>\
    <feature var='urn:xmpp:chat-markers:0'/><feature var='urn:xmpp:hints'/><feature var='urn:xmpp:sid:0'/>\
    <feature var='urn:xmpp:message-attaching:1'/><feature var='urn:xmpp:eme:0'/><feature var='urn:xmpp:spoiler:0'/>\
    <feature var='urn:xmpp:fallback:0'/><feature var='vcard-temp'/><feature var='jabber:iq:version'/>\
    <feature var='urn:xmpp:time'/><feature var='http://jabber.org/protocol/disco#info'/>\
    <feature var='urn:xmpp:jingle:1'/><feature var='urn:xmpp:jingle:apps:rtp:1'/>\
    <feature var='urn:xmpp:jingle:apps:rtp:audio'/><feature var='urn:xmpp:jingle:apps:rtp:video'/>\
    <feature var='urn:xmpp:jingle:transports:ice-udp:1'/><feature var='http://jabber.org/protocol/ibb'/>\
    <feature var='http://jabber.org/protocol/bytestreams'/><feature var='http://jabber.org/protocol/si'/>\
    <feature var='http://jabber.org/protocol/si/profile/file-transfer'/></query>
    """,
  ]
}
