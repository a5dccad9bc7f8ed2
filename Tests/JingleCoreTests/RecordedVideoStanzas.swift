// Video calls as they went between Chromium 156 behind a Jingle bridge and Dino 0.4.2, with white space added.

/// Chromium calls with audio and video in one bundle: every codec that it has.
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
     <fingerprint xmlns='urn:xmpp:jingle:apps:dtls:0' hash='sha-256' setup='actpass'>
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
     <payload-type id='102' name='H264' clockrate='90000'>
      <parameter name='level-asymmetry-allowed' value='1'/>
      <parameter name='packetization-mode' value='1'/>
      <parameter name='profile-level-id' value='42001f'/>
      <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='goog-remb'/>
      <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='transport-cc'/>
      <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' subtype='fir' type='ccm'/>
      <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='nack'/>
      <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' subtype='pli' type='nack'/>
     </payload-type>
     <payload-type id='103' name='rtx' clockrate='90000'>
      <parameter name='apt' value='102'/>
     </payload-type>
     <payload-type id='104' name='H264' clockrate='90000'>
      <parameter name='level-asymmetry-allowed' value='1'/>
      <parameter name='packetization-mode' value='0'/>
      <parameter name='profile-level-id' value='42001f'/>
      <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='goog-remb'/>
      <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='transport-cc'/>
      <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' subtype='fir' type='ccm'/>
      <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='nack'/>
      <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' subtype='pli' type='nack'/>
     </payload-type>
     <payload-type id='107' name='rtx' clockrate='90000'>
      <parameter name='apt' value='104'/>
     </payload-type>
     <payload-type id='108' name='H264' clockrate='90000'>
      <parameter name='level-asymmetry-allowed' value='1'/>
      <parameter name='packetization-mode' value='1'/>
      <parameter name='profile-level-id' value='42e01f'/>
      <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='goog-remb'/>
      <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='transport-cc'/>
      <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' subtype='fir' type='ccm'/>
      <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='nack'/>
      <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' subtype='pli' type='nack'/>
     </payload-type>
     <payload-type id='109' name='rtx' clockrate='90000'>
      <parameter name='apt' value='108'/>
     </payload-type>
     <payload-type id='114' name='H264' clockrate='90000'>
      <parameter name='level-asymmetry-allowed' value='1'/>
      <parameter name='packetization-mode' value='0'/>
      <parameter name='profile-level-id' value='42e01f'/>
      <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='goog-remb'/>
      <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='transport-cc'/>
      <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' subtype='fir' type='ccm'/>
      <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='nack'/>
      <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' subtype='pli' type='nack'/>
     </payload-type>
     <payload-type id='115' name='rtx' clockrate='90000'>
      <parameter name='apt' value='114'/>
     </payload-type>
     <payload-type id='116' name='H264' clockrate='90000'>
      <parameter name='level-asymmetry-allowed' value='1'/>
      <parameter name='packetization-mode' value='1'/>
      <parameter name='profile-level-id' value='4d001f'/>
      <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='goog-remb'/>
      <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='transport-cc'/>
      <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' subtype='fir' type='ccm'/>
      <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='nack'/>
      <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' subtype='pli' type='nack'/>
     </payload-type>
     <payload-type id='117' name='rtx' clockrate='90000'>
      <parameter name='apt' value='116'/>
     </payload-type>
     <payload-type id='39' name='H264' clockrate='90000'>
      <parameter name='level-asymmetry-allowed' value='1'/>
      <parameter name='packetization-mode' value='0'/>
      <parameter name='profile-level-id' value='4d001f'/>
      <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='goog-remb'/>
      <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='transport-cc'/>
      <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' subtype='fir' type='ccm'/>
      <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='nack'/>
      <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' subtype='pli' type='nack'/>
     </payload-type>
     <payload-type id='40' name='rtx' clockrate='90000'>
      <parameter name='apt' value='39'/>
     </payload-type>
     <payload-type id='45' name='AV1' clockrate='90000'>
      <parameter name='level-idx' value='5'/>
      <parameter name='profile' value='0'/>
      <parameter name='tier' value='0'/>
      <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='goog-remb'/>
      <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='transport-cc'/>
      <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' subtype='fir' type='ccm'/>
      <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='nack'/>
      <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' subtype='pli' type='nack'/>
     </payload-type>
     <payload-type id='46' name='rtx' clockrate='90000'>
      <parameter name='apt' value='45'/>
     </payload-type>
     <payload-type id='98' name='VP9' clockrate='90000'>
      <parameter name='profile-id' value='0'/>
      <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='goog-remb'/>
      <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='transport-cc'/>
      <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' subtype='fir' type='ccm'/>
      <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='nack'/>
      <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' subtype='pli' type='nack'/>
     </payload-type>
     <payload-type id='99' name='rtx' clockrate='90000'>
      <parameter name='apt' value='98'/>
     </payload-type>
     <payload-type id='100' name='VP9' clockrate='90000'>
      <parameter name='profile-id' value='2'/>
      <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='goog-remb'/>
      <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='transport-cc'/>
      <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' subtype='fir' type='ccm'/>
      <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='nack'/>
      <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' subtype='pli' type='nack'/>
     </payload-type>
     <payload-type id='101' name='rtx' clockrate='90000'>
      <parameter name='apt' value='100'/>
     </payload-type>
     <payload-type id='118' name='red' clockrate='90000'/>
     <payload-type id='119' name='rtx' clockrate='90000'>
      <parameter name='apt' value='118'/>
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
     <fingerprint xmlns='urn:xmpp:jingle:apps:dtls:0' hash='sha-256' setup='actpass'>
       86:B3:0D:A7:5D:1B:BA:DE:03:B7:FB:D0:4B:01:57:BE:75:E5:59:7F:3F:B0:7A:88:0C:29:F9:F3:7D:6A:75:23
     </fingerprint>
    </transport>
   </content>
  </jingle>
  """

/// Dino's answer to it: no bundle, VP8 alone.
let dinosVideoAnswer = """
  <jingle xmlns='urn:xmpp:jingle:1' action='session-accept' sid='31828038-6c2d-4f85-a786-8b7baaa3657d'>
   <content creator='initiator' name='0' senders='both'>
    <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'>
     <payload-type id='111' channels='2' name='opus' clockrate='48000'>
      <parameter name='minptime' value='10'/>
      <parameter name='useinbandfec' value='1'/>
     </payload-type>
     <rtcp-mux/>
    </description>
    <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' pwd='6X+L+t12PkMvd6gn1tb5L8' ufrag='7US0'>
     <fingerprint xmlns='urn:xmpp:jingle:apps:dtls:0' hash='sha-256' setup='active'>
       77:75:16:46:0B:3E:15:93:47:C6:C1:0E:DC:97:CE:6A:6F:32:0E:76:ED:7C:3B:F0:81:70:A6:AA:63:E1:D2:F3
     </fingerprint>
     <candidate id='77935a91' foundation='1' priority='2015363327' component='1' generation='0' protocol='udp'
         network='0' type='host' port='37517' ip='10.77.0.1'/>
     <candidate id='08605bb7' foundation='2' priority='2015363583' component='1' generation='0' protocol='udp'
         network='0' type='host' port='37320' ip='10.77.0.2'/>
     <candidate id='9a631049' foundation='3' priority='2015363839' component='1' generation='0' protocol='udp'
         network='0' type='host' port='48679' ip='10.77.1.1'/>
     <candidate id='f0285fcd' foundation='1' priority='2015363326' component='2' generation='0' protocol='udp'
         network='0' type='host' port='39753' ip='10.77.0.1'/>
     <candidate id='858e6e29' foundation='2' priority='2015363582' component='2' generation='0' protocol='udp'
         network='0' type='host' port='39519' ip='10.77.0.2'/>
     <candidate id='714b9789' foundation='3' priority='2015363838' component='2' generation='0' protocol='udp'
         network='0' type='host' port='50657' ip='10.77.1.1'/>
     <candidate id='8af2bbd5' foundation='8' priority='505413887' component='1' generation='0' rel-port='37517'
         protocol='udp' rel-addr='10.77.0.1' network='0' type='relay' port='49250' ip='10.77.0.1'/>
     <candidate id='8b09d00c' foundation='8' priority='505413886' component='2' generation='0' rel-port='39753'
         protocol='udp' rel-addr='10.77.0.1' network='0' type='relay' port='49208' ip='10.77.0.1'/>
    </transport>
   </content>
   <content creator='initiator' name='1' senders='both'>
    <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='video'>
     <payload-type id='96' name='VP8' clockrate='90000'>
      <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='goog-remb'/>
      <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' subtype='fir' type='ccm'/>
      <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='nack'/>
      <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' subtype='pli' type='nack'/>
     </payload-type>
     <rtp-hdrext xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0' id='13' uri='urn:3gpp:video-orientation'/>
     <rtcp-mux/>
    </description>
    <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' pwd='Kk0cpaCYhWtH062WsP5SEH' ufrag='YVFG'>
     <fingerprint xmlns='urn:xmpp:jingle:apps:dtls:0' hash='sha-256' setup='active'>
       77:75:16:46:0B:3E:15:93:47:C6:C1:0E:DC:97:CE:6A:6F:32:0E:76:ED:7C:3B:F0:81:70:A6:AA:63:E1:D2:F3
     </fingerprint>
     <candidate id='3ccf6218' foundation='1' priority='2015363327' component='1' generation='0' protocol='udp'
         network='0' type='host' port='56810' ip='10.77.0.1'/>
     <candidate id='0ca3fb80' foundation='2' priority='2015363583' component='1' generation='0' protocol='udp'
         network='0' type='host' port='43880' ip='10.77.0.2'/>
     <candidate id='ee28cf29' foundation='3' priority='2015363839' component='1' generation='0' protocol='udp'
         network='0' type='host' port='50839' ip='10.77.1.1'/>
     <candidate id='8418ecdb' foundation='1' priority='2015363326' component='2' generation='0' protocol='udp'
         network='0' type='host' port='35985' ip='10.77.0.1'/>
     <candidate id='c7c0e5e0' foundation='2' priority='2015363582' component='2' generation='0' protocol='udp'
         network='0' type='host' port='58559' ip='10.77.0.2'/>
     <candidate id='eb8a3b36' foundation='3' priority='2015363838' component='2' generation='0' protocol='udp'
         network='0' type='host' port='44481' ip='10.77.1.1'/>
    </transport>
   </content>
  </jingle>
  """

/// Dino calls with audio and video.
let dinosVideoOffer = """
  <jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' initiator='dinoa@example.test/dino-dinoa'
      sid='b27da98e-3ad4-4f80-bee4-65655579c145'>
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
          key-params='inline:Egp3WClfQQRAUDkI+L+EynKXulUQeFMzm5uJ95Zi'/>
     </encryption>
     <rtcp-mux/>
    </description>
    <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' pwd='eNBXBGG7zXvIpi7+rubAAT' ufrag='abfS'>
     <fingerprint xmlns='urn:xmpp:jingle:apps:dtls:0' hash='sha-256' setup='actpass'>
       B8:6B:99:B5:6C:67:00:96:07:D9:D6:30:A9:4F:25:A5:85:9B:95:FE:2A:BF:15:26:4F:64:D6:00:A7:74:0E:45
     </fingerprint>
     <candidate id='7e1cbfac' foundation='1' priority='2015363327' component='1' generation='0' protocol='udp'
         network='0' type='host' port='36364' ip='10.77.0.1'/>
     <candidate id='2b1d8def' foundation='2' priority='2015363583' component='1' generation='0' protocol='udp'
         network='0' type='host' port='45595' ip='10.77.0.2'/>
     <candidate id='a4021615' foundation='3' priority='2015363839' component='1' generation='0' protocol='udp'
         network='0' type='host' port='37275' ip='10.77.1.1'/>
     <candidate id='88760c75' foundation='1' priority='2015363326' component='2' generation='0' protocol='udp'
         network='0' type='host' port='59360' ip='10.77.0.1'/>
     <candidate id='ed1e3689' foundation='2' priority='2015363582' component='2' generation='0' protocol='udp'
         network='0' type='host' port='35372' ip='10.77.0.2'/>
     <candidate id='cdd94e44' foundation='3' priority='2015363838' component='2' generation='0' protocol='udp'
         network='0' type='host' port='36994' ip='10.77.1.1'/>
    </transport>
   </content>
   <content creator='initiator' name='video' senders='both'>
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
          key-params='inline:Umi/0NhXRYEqQP5OiFx7jl7gZxnOu/KG25VXGqAJ'/>
     </encryption>
     <rtcp-mux/>
    </description>
    <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' pwd='8SuJRt95X+JHFfADudgiQV' ufrag='kq6I'>
     <fingerprint xmlns='urn:xmpp:jingle:apps:dtls:0' hash='sha-256' setup='actpass'>
       B8:6B:99:B5:6C:67:00:96:07:D9:D6:30:A9:4F:25:A5:85:9B:95:FE:2A:BF:15:26:4F:64:D6:00:A7:74:0E:45
     </fingerprint>
     <candidate id='0dddf837' foundation='1' priority='2015363327' component='1' generation='0' protocol='udp'
         network='0' type='host' port='44560' ip='10.77.0.1'/>
     <candidate id='d2bcfedb' foundation='2' priority='2015363583' component='1' generation='0' protocol='udp'
         network='0' type='host' port='58495' ip='10.77.0.2'/>
     <candidate id='ec86b11d' foundation='3' priority='2015363839' component='1' generation='0' protocol='udp'
         network='0' type='host' port='47300' ip='10.77.1.1'/>
     <candidate id='9dc9e01e' foundation='1' priority='2015363326' component='2' generation='0' protocol='udp'
         network='0' type='host' port='57644' ip='10.77.0.1'/>
     <candidate id='defcdc29' foundation='2' priority='2015363582' component='2' generation='0' protocol='udp'
         network='0' type='host' port='53815' ip='10.77.0.2'/>
     <candidate id='5ecb869b' foundation='3' priority='2015363838' component='2' generation='0' protocol='udp'
         network='0' type='host' port='52969' ip='10.77.1.1'/>
    </transport>
   </content>
  </jingle>
  """
