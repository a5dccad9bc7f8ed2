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

/// Chromium calls with video, in one bundle (payload types of video left out but for VP8).
let chromiumsVideoOffer = """
  <jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' initiator='alice@example.test/pqd0dVjkFXph'
      sid='31828038-6c2d-4f85-a786-8b7baaa3657d'>
    <group xmlns='urn:xmpp:jingle:apps:grouping:0' semantics='BUNDLE'>
     <content name='0'/>
     <content name='1'/>
    </group>
    <content creator='initiator' name='0' senders='both'>
     <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'>
      <payload-type id='111' channels='2' name='opus' clockrate='48000'>
       <parameter name='minptime' value='10'/>
       <parameter name='useinbandfec' value='1'/>
       <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='transport-cc'/>
      </payload-type>
      <payload-type id='63' channels='2' name='red' clockrate='48000'>
       <parameter name='' value='111/111'/>
      </payload-type>
      <payload-type id='9' name='G722' clockrate='8000'/>
      <payload-type id='0' name='PCMU' clockrate='8000'/>
      <payload-type id='8' name='PCMA' clockrate='8000'/>
      <payload-type id='13' name='CN' clockrate='8000'/>
      <payload-type id='110' name='telephone-event' clockrate='48000'/>
      <payload-type id='126' name='telephone-event' clockrate='8000'/>
      <rtp-hdrext xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0' id='1'
          uri='urn:ietf:params:rtp-hdrext:ssrc-audio-level'/>
      <rtp-hdrext xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0' id='2'
          uri='http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time'/>
      <rtp-hdrext xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0' id='3'
          uri='http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01'/>
      <rtp-hdrext xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0' id='4' uri='urn:ietf:params:rtp-hdrext:sdes:mid'/>
      <extmap-allow-mixed xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0'/>
      <rtcp-mux/>
      <rtcp-reduced-size/>
      <source xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' ssrc='792287506'>
       <parameter name='cname' value='PctX0TY6wTfuAesw'/>
       <parameter name='msid' value='0a71caee-ad9f-44c0-a8e6-08235973a444 0784dd0b-4d6c-4fe4-84f9-bd464ade1101'/>
      </source>
     </description>
     <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' pwd='/AgdiedTcIxUhqXETsvCBbJX' ufrag='t3Nn'>
      <fingerprint xmlns='urn:xmpp:jingle:apps:dtls:0' hash='sha-256'
          setup='actpass'>
          86:B3:0D:A7:5D:1B:BA:DE:03:B7:FB:D0:4B:01:57:BE:75:E5:59:7F:3F:B0:7A:88:0C:29:F9:F3:7D:6A:75:23
          </fingerprint>
     </transport>
    </content>
    <content creator='initiator' name='1' senders='both'>
     <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='video'>
      <payload-type id='96' name='VP8' clockrate='90000'>
       <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='goog-remb'/>
       <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='transport-cc'/>
       <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' subtype='fir' type='ccm'/>
       <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='nack'/>
       <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' subtype='pli' type='nack'/>
      </payload-type>
      <payload-type id='97' name='rtx' clockrate='90000'>
       <parameter name='apt' value='96'/>
      </payload-type>
      <payload-type id='120' name='ulpfec' clockrate='90000'/>
      <rtp-hdrext xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0' id='14' uri='urn:ietf:params:rtp-hdrext:toffset'/>
      <rtp-hdrext xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0' id='2'
          uri='http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time'/>
      <rtp-hdrext xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0' id='13' uri='urn:3gpp:video-orientation'/>
      <rtp-hdrext xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0' id='3'
          uri='http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01'/>
      <rtp-hdrext xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0' id='5'
          uri='http://www.webrtc.org/experiments/rtp-hdrext/playout-delay'/>
      <rtp-hdrext xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0' id='6'
          uri='http://www.webrtc.org/experiments/rtp-hdrext/video-content-type'/>
      <rtp-hdrext xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0' id='7'
          uri='http://www.webrtc.org/experiments/rtp-hdrext/video-timing'/>
      <rtp-hdrext xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0' id='8'
          uri='http://www.webrtc.org/experiments/rtp-hdrext/color-space'/>
      <rtp-hdrext xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0' id='4' uri='urn:ietf:params:rtp-hdrext:sdes:mid'/>
      <rtp-hdrext xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0' id='10'
          uri='urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id'/>
      <rtp-hdrext xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0' id='11'
          uri='urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id'/>
      <extmap-allow-mixed xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0'/>
      <rtcp-mux/>
      <rtcp-reduced-size/>
      <ssrc-group xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' semantics='FID'>
       <source ssrc='1510610514'/>
       <source ssrc='186278542'/>
      </ssrc-group>
      <source xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' ssrc='1510610514'>
       <parameter name='cname' value='PctX0TY6wTfuAesw'/>
       <parameter name='msid' value='7cec81d3-8e0c-4cb1-9061-e3e2ef110d00 1e405ae1-dc6d-4cb9-aedc-026100df83d3'/>
      </source>
      <source xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' ssrc='186278542'>
       <parameter name='cname' value='PctX0TY6wTfuAesw'/>
       <parameter name='msid' value='7cec81d3-8e0c-4cb1-9061-e3e2ef110d00 1e405ae1-dc6d-4cb9-aedc-026100df83d3'/>
      </source>
     </description>
     <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' pwd='/AgdiedTcIxUhqXETsvCBbJX' ufrag='t3Nn'>
      <fingerprint xmlns='urn:xmpp:jingle:apps:dtls:0' hash='sha-256'
          setup='actpass'>
          86:B3:0D:A7:5D:1B:BA:DE:03:B7:FB:D0:4B:01:57:BE:75:E5:59:7F:3F:B0:7A:88:0C:29:F9:F3:7D:6A:75:23
          </fingerprint>
     </transport>
    </content>
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
