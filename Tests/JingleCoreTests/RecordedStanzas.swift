// Stanzas as they came from Dino 0.4.2 and from Chromium 156 behind a Jingle bridge, with white space added.

/// Dino calls: SDES beside DTLS, two ICE components in spite of rtcp-mux.
let dinosOffer = """
  <jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' initiator='dinoa@example.test/dino-dinoa'
      sid='1a2c04bc-bf2c-4f09-b491-4d288c3f32af'>
    <content creator='initiator' name='audio' senders='both'>
     <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'>
      <payload-type id='111' channels='2' name='opus' clockrate='48000'>
       <parameter name='useinbandfec' value='1'/>
      </payload-type>
      <payload-type id='112' name='speex' clockrate='32000'/>
      <payload-type id='113' name='speex' clockrate='16000'/>
      <payload-type id='114' name='speex' clockrate='8000'/>
      <payload-type id='9' name='G722' clockrate='8000'/>
      <payload-type id='0' name='PCMU' clockrate='8000'/>
      <payload-type id='8' name='PCMA' clockrate='8000'/>
      <encryption>
       <crypto crypto-suite='AES_CM_128_HMAC_SHA1_80' tag='1'
           key-params='inline:rxROQ9UZj/SgDk7iOXGpQgin8mHaZ22OoMRp0Th5'/>
      </encryption>
      <rtcp-mux/>
     </description>
     <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' pwd='403OL3Zhyvc9e+c3T+9hBd' ufrag='QS72'>
      <fingerprint xmlns='urn:xmpp:jingle:apps:dtls:0' hash='sha-256'
          setup='actpass'>
          7C:A5:17:10:3B:0B:1D:94:D8:C9:50:ED:99:20:69:D9:C7:18:73:3E:6E:4A:2F:0E:2F:95:2F:12:07:70:45:04
          </fingerprint>
      <candidate id='7995854d' foundation='1' priority='2015363327' component='1' generation='0' protocol='udp'
          network='0' type='host' port='39884' ip='10.77.0.1'/>
      <candidate id='9f0e3895' foundation='2' priority='2015363583' component='1' generation='0' protocol='udp'
          network='0' type='host' port='46435' ip='10.77.0.2'/>
      <candidate id='079af272' foundation='3' priority='2015363839' component='1' generation='0' protocol='udp'
          network='0' type='host' port='36941' ip='10.77.1.1'/>
      <candidate id='5ce11ca9' foundation='1' priority='2015363326' component='2' generation='0' protocol='udp'
          network='0' type='host' port='33884' ip='10.77.0.1'/>
      <candidate id='1f5a1548' foundation='2' priority='2015363582' component='2' generation='0' protocol='udp'
          network='0' type='host' port='32894' ip='10.77.0.2'/>
      <candidate id='886691a0' foundation='3' priority='2015363838' component='2' generation='0' protocol='udp'
          network='0' type='host' port='48182' ip='10.77.1.1'/>
     </transport>
    </content>
   </jingle>
  """

/// Chromium answers it: no initiator, a source (XEP-0339), no candidates yet.
let chromiumsAnswer = """
  <jingle xmlns='urn:xmpp:jingle:1' action='session-accept' responder='browser@example.test/km2shodB72oL'
      sid='1a2c04bc-bf2c-4f09-b491-4d288c3f32af'>
    <content creator='initiator' name='audio' senders='both'>
     <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'>
      <payload-type id='111' channels='2' name='opus' clockrate='48000'>
       <parameter name='minptime' value='10'/>
       <parameter name='useinbandfec' value='1'/>
      </payload-type>
      <payload-type id='9' name='G722' clockrate='8000'/>
      <payload-type id='0' name='PCMU' clockrate='8000'/>
      <payload-type id='8' name='PCMA' clockrate='8000'/>
      <rtcp-mux/>
      <source xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' ssrc='2555386590'>
       <parameter name='cname' value='qEqybNNUf9VmN+/N'/>
      </source>
     </description>
     <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' pwd='TKOm6LU8DXT5EWGqJ9B29BHD' ufrag='zn2Z'>
      <fingerprint xmlns='urn:xmpp:jingle:apps:dtls:0' hash='sha-256'
          setup='active'>
          A7:07:47:A6:02:9F:16:25:6F:EF:53:06:03:74:E7:9E:A5:95:17:B3:2C:7B:B7:6B:F3:7E:46:6D:F0:3A:55:CB
          </fingerprint>
     </transport>
    </content>
   </jingle>
  """

/// One more candidate of Dino's, with an initiator as in all its stanzas.
let dinosCandidate = """
  <jingle xmlns='urn:xmpp:jingle:1' action='transport-info' initiator='dinoa@example.test/dino-dinoa'
      sid='1a2c04bc-bf2c-4f09-b491-4d288c3f32af'>
    <content creator='initiator' name='audio'>
     <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' pwd='403OL3Zhyvc9e+c3T+9hBd' ufrag='QS72'>
      <candidate id='bf9efeed' foundation='8' priority='505413887' component='1' generation='0' rel-port='39884'
          protocol='udp' rel-addr='10.77.0.1' network='0' type='relay' port='49290' ip='10.77.0.1'/>
     </transport>
    </content>
   </jingle>
  """

/// And one for the second component.
let dinosSecondCandidate = """
  <jingle xmlns='urn:xmpp:jingle:1' action='transport-info' initiator='dinoa@example.test/dino-dinoa'
      sid='1a2c04bc-bf2c-4f09-b491-4d288c3f32af'>
    <content creator='initiator' name='audio'>
     <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' pwd='403OL3Zhyvc9e+c3T+9hBd' ufrag='QS72'>
      <candidate id='112e4c8b' foundation='8' priority='505413886' component='2' generation='0' rel-port='33884'
          protocol='udp' rel-addr='10.77.0.1' network='0' type='relay' port='49257' ip='10.77.0.1'/>
     </transport>
    </content>
   </jingle>
  """

/// Chromium's first candidates.
let chromiumsCandidates = """
  <jingle xmlns='urn:xmpp:jingle:1' action='transport-info' sid='1a2c04bc-bf2c-4f09-b491-4d288c3f32af'>
    <content creator='initiator' name='audio'>
     <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' pwd='TKOm6LU8DXT5EWGqJ9B29BHD' ufrag='zn2Z'>
      <candidate id='c52540' foundation='125635254' priority='2122260223' component='1' generation='0'
          protocol='udp' network='0' type='host' port='44825' ip='127.0.0.1'/>
      <candidate id='c50461' foundation='4047495046' priority='2122194687' component='1' generation='0'
          protocol='udp' network='0' type='host' port='54856' ip='10.77.0.1'/>
      <candidate id='c29842' foundation='1421102984' priority='2122129151' component='1' generation='0'
          protocol='udp' network='0' type='host' port='57893' ip='10.77.1.1'/>
     </transport>
    </content>
   </jingle>
  """

/// Chromium hangs up.
let chromiumsEnd = """
  <jingle xmlns='urn:xmpp:jingle:1' action='session-terminate' sid='1a2c04bc-bf2c-4f09-b491-4d288c3f32af'>
    <reason>
     <success/>
    </reason>
   </jingle>
  """

/// Dino mutes its microphone.
let dinosMute = """
  <jingle xmlns='urn:xmpp:jingle:1' action='session-info' initiator='dinoa@example.test/dino-dinoa'
      sid='ff9e3072-ce80-499e-a723-8155afe571ac'>
    <mute xmlns='urn:xmpp:jingle:apps:rtp:info:1' creator='initiator' name='audio'/>
   </jingle>
  """

/// Dino adds video, as the side that was called, under the creator initiator.
let dinosVideo = """
  <jingle xmlns='urn:xmpp:jingle:1' action='content-add' sid='14bf433a-c201-4fa3-a514-1a63532997d4'>
    <content creator='initiator' name='video' senders='responder'>
     <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='video'>
      <payload-type id='98' name='VP8' clockrate='90000'>
       <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='goog-remb'/>
       <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' subtype='fir' type='ccm'/>
       <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='nack'/>
       <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' subtype='pli' type='nack'/>
      </payload-type>
      <rtp-hdrext xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0' id='1' uri='urn:3gpp:video-orientation'/>
      <encryption>
       <crypto crypto-suite='AES_CM_128_HMAC_SHA1_80' tag='1'
           key-params='inline:NFwzpijW5iankfAdQSNm93FAwsmDAibeef3oCxHK'/>
      </encryption>
      <rtcp-mux/>
     </description>
     <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' pwd='5p186pNFYOMH4pMouqHAhd' ufrag='DVjb'>
      <fingerprint xmlns='urn:xmpp:jingle:apps:dtls:0' hash='sha-256'
          setup='actpass'>
          EF:5F:20:5D:35:71:77:11:9A:71:B4:70:75:9D:90:2F:A7:95:3D:9B:82:B9:1B:73:EE:C1:92:1F:ED:FE:A9:25
          </fingerprint>
      <candidate id='d29fad10' foundation='1' priority='2015363327' component='1' generation='0' protocol='udp'
          network='0' type='host' port='35934' ip='10.77.0.1'/>
      <candidate id='00cb012e' foundation='2' priority='2015363583' component='1' generation='0' protocol='udp'
          network='0' type='host' port='43437' ip='10.77.0.2'/>
      <candidate id='5d93ca4f' foundation='3' priority='2015363839' component='1' generation='0' protocol='udp'
          network='0' type='host' port='33967' ip='10.77.1.1'/>
      <candidate id='e94b994a' foundation='1' priority='2015363326' component='2' generation='0' protocol='udp'
          network='0' type='host' port='33766' ip='10.77.0.1'/>
      <candidate id='a62abab5' foundation='2' priority='2015363582' component='2' generation='0' protocol='udp'
          network='0' type='host' port='36690' ip='10.77.0.2'/>
      <candidate id='3b519cca' foundation='3' priority='2015363838' component='2' generation='0' protocol='udp'
          network='0' type='host' port='44481' ip='10.77.1.1'/>
     </transport>
    </content>
   </jingle>
  """
