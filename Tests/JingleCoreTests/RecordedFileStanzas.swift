// File offers and answers as Dino 0.4.2 and Gajim 1.7 write them, with fewer candidates.

let dinosFile = """
  <jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' initiator='romeo@montague.example/orchard'
      sid='26a2b85e-7b1c-417b-becc-b928860e6eb0'>
    <content creator='initiator' name='a-file-offer' senders='initiator'>
     <description xmlns='urn:xmpp:jingle:apps:file-transfer:5'>
      <file><name>ft.bin</name><size>3000000</size></file>
     </description>
     <transport xmlns='urn:xmpp:jingle:transports:s5b:1' mode='tcp'
         dstaddr='192fa4794a6db6d5cfd46848ea5a47c2daffd1dc' sid='e4cfff16-7777-4ecd-9fc7-df6dece7eefe'>
      <candidate type='direct' priority='8290304' cid='9e9266f9-cba4-40e9-af74-67d9f546c507' host='192.0.2.1'
          port='38339' jid='romeo@montague.example/orchard'/>
      <candidate type='proxy' priority='688128' cid='1ce36e5d-1448-4f13-84fa-f7378b1e3cbd' host='192.0.2.1'
          port='5000' jid='proxy.montague.example'/>
     </transport>
    </content>
  </jingle>
  """

/// Dino echoes the description.
let dinosFileAccepted = """
  <jingle xmlns='urn:xmpp:jingle:1' action='session-accept' sid='26a2b85e-7b1c-417b-becc-b928860e6eb0'>
    <content creator='initiator' name='a-file-offer' senders='initiator'>
     <description xmlns='urn:xmpp:jingle:apps:file-transfer:5'>
      <file><name>ft.bin</name><size>3000000</size></file>
     </description>
     <transport xmlns='urn:xmpp:jingle:transports:s5b:1' sid='e4cfff16-7777-4ecd-9fc7-df6dece7eefe'
         dstaddr='87fe1a7e5c3ade4df034fd3df7fe499730fff6b5'>
      <candidate type='direct' priority='8290304' cid='9c10d606-5d1b-4959-9801-1d8ab355f7f9' host='192.0.2.2'
          port='34597' jid='juliet@capulet.example/balcony'/>
     </transport>
    </content>
  </jingle>
  """

/// Gajim's date has an offset from UTC and a Z too many, and its description is empty.
let gajimsFile = """
  <jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' initiator='romeo@montague.example/orchard'
      sid='fb037ee3-faa3-457a-85a5-cca53da0d6a5'>
    <content creator='initiator' name='fileODQCKTAX8IJB8P2W' senders='initiator'>
     <description xmlns='urn:xmpp:jingle:apps:file-transfer:5'>
      <file><name>ft.bin</name><date>2026-11-20T23:04:25.090732+00:00Z</date><size>3000000</size><desc/></file>
     </description>
     <transport xmlns='urn:xmpp:jingle:transports:s5b:1' sid='803b331e-cc9e-4d7e-bcc4-04de4d65515b'>
      <candidate type='direct' priority='8257536' cid='a9dd23d9-ee8a-414a-bf5b-336c1f567192' host='192.0.2.1'
          port='28011' jid='romeo@montague.example/orchard'/>
     </transport>
    </content>
  </jingle>
  """

/// Gajim accepts with senders that mean nothing in a file transfer.
let gajimsFileAccepted = """
  <jingle xmlns='urn:xmpp:jingle:1' action='session-accept' initiator='romeo@montague.example/orchard'
      sid='167e896b-b6d2-46e0-9413-0e877c57701f'>
    <content creator='initiator' name='a-file-offer' senders='both'>
     <description xmlns='urn:xmpp:jingle:apps:file-transfer:5'>
      <file><name>ft.bin</name><size>3000000</size><desc/></file>
     </description>
     <transport xmlns='urn:xmpp:jingle:transports:s5b:1' sid='3dd095f4-139c-4fe3-b9f1-411523860b43'>
      <candidate type='direct' priority='8257536' cid='bdd20a4f-f6a2-4e57-b229-257c0f0c052a' host='192.0.2.2'
          port='28011' jid='juliet@capulet.example/balcony'/>
     </transport>
    </content>
  </jingle>
  """

/// Gajim's checksum, of a file of 10 MB or more, does not say which content it is of.
let gajimsChecksum = """
  <jingle xmlns='urn:xmpp:jingle:1' action='session-info' initiator='romeo@montague.example/orchard'
      sid='fb037ee3-faa3-457a-85a5-cca53da0d6a5'>\
    <checksum xmlns='urn:xmpp:jingle:apps:file-transfer:5'><file><hash xmlns='urn:xmpp:hashes:2' algo='blake2b-512'>\
  ugKwRjTsTillbi41EKm/LPI9h+n9jMZPu22mwLbaADtCM4Taciwf4Fzqigk6kfA4r+emamnqPF0nvegauciLfA==</hash></file></checksum>
  </jingle>
  """
