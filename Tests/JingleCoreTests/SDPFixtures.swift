// Descriptions in the words and the order of browsers, shortened to a few codecs.

/// Lines as SDP ends them.
func sdpText(_ text: String) -> String {
  text.split(separator: "\n").map { $0 + "\r\n" }.joined()
}

/// Chromium offers audio and video in one bundle.
let chromiumsSDP = sdpText(
  """
  v=0
  o=- 4611731400430051336 2 IN IP4 127.0.0.1
  s=-
  t=0 0
  a=group:BUNDLE 0 1
  a=extmap-allow-mixed
  a=msid-semantic: WMS 0a71caee-ad9f-44c0-a8e6-08235973a444
  m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126
  c=IN IP4 0.0.0.0
  a=rtcp:9 IN IP4 0.0.0.0
  a=ice-ufrag:t3Nn
  a=ice-pwd:/AgdiedTcIxUhqXETsvCBbJX
  a=ice-options:trickle
  a=fingerprint:sha-256 86:B3:0D:A7:5D:1B:BA:DE:03:B7:FB:D0:4B:01:57:BE:75:E5:59:7F:3F:B0:7A:88:0C:29:F9:F3:7D:6A:75:23
  a=setup:actpass
  a=mid:0
  a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
  a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
  a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
  a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
  a=sendrecv
  a=msid:0a71caee-ad9f-44c0-a8e6-08235973a444 0784dd0b-4d6c-4fe4-84f9-bd464ade1101
  a=rtcp-mux
  a=rtcp-rsize
  a=rtcp-xr:rcvr-rtt=all
  a=rtpmap:111 opus/48000/2
  a=rtcp-fb:111 transport-cc
  a=fmtp:111 minptime=10;useinbandfec=1
  a=rtpmap:63 red/48000/2
  a=fmtp:63 111/111
  a=rtpmap:9 G722/8000
  a=rtpmap:0 PCMU/8000
  a=rtpmap:8 PCMA/8000
  a=rtpmap:13 CN/8000
  a=rtpmap:110 telephone-event/48000
  a=rtpmap:126 telephone-event/8000
  a=ssrc:792287506 cname:PctX0TY6wTfuAesw
  a=ssrc:792287506 msid:0a71caee-ad9f-44c0-a8e6-08235973a444 0784dd0b-4d6c-4fe4-84f9-bd464ade1101
  m=video 9 UDP/TLS/RTP/SAVPF 96 97 102 103 118 119 120
  c=IN IP4 0.0.0.0
  b=AS:2000
  a=rtcp:9 IN IP4 0.0.0.0
  a=ice-ufrag:t3Nn
  a=ice-pwd:/AgdiedTcIxUhqXETsvCBbJX
  a=ice-options:trickle
  a=fingerprint:sha-256 86:B3:0D:A7:5D:1B:BA:DE:03:B7:FB:D0:4B:01:57:BE:75:E5:59:7F:3F:B0:7A:88:0C:29:F9:F3:7D:6A:75:23
  a=setup:actpass
  a=mid:1
  a=extmap:14 urn:ietf:params:rtp-hdrext:toffset
  a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
  a=extmap:13/sendonly urn:3gpp:video-orientation
  a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
  a=sendonly
  a=msid:0a71caee-ad9f-44c0-a8e6-08235973a444 1e405ae1-dc6d-4cb9-aedc-026100df83d3
  a=rtcp-mux
  a=rtcp-rsize
  a=rtcp-xr:rcvr-rtt=all
  a=rtpmap:96 VP8/90000
  a=rtcp-fb:96 goog-remb
  a=rtcp-fb:96 transport-cc
  a=rtcp-fb:96 ccm fir
  a=rtcp-fb:96 nack
  a=rtcp-fb:96 nack pli
  a=rtpmap:97 rtx/90000
  a=fmtp:97 apt=96
  a=rtpmap:102 H264/90000
  a=rtcp-fb:102 nack
  a=rtcp-fb:102 nack pli
  a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f
  a=rtpmap:103 rtx/90000
  a=fmtp:103 apt=102
  a=rtpmap:118 red/90000
  a=rtpmap:119 rtx/90000
  a=fmtp:119 apt=118
  a=rtpmap:120 ulpfec/90000
  a=ssrc-group:FID 1510610514 186278542
  a=ssrc:1510610514 cname:PctX0TY6wTfuAesw
  a=ssrc:1510610514 msid:0a71caee-ad9f-44c0-a8e6-08235973a444 1e405ae1-dc6d-4cb9-aedc-026100df83d3
  a=ssrc:186278542 cname:PctX0TY6wTfuAesw
  a=ssrc:186278542 msid:0a71caee-ad9f-44c0-a8e6-08235973a444 1e405ae1-dc6d-4cb9-aedc-026100df83d3
  """)

/// Chromium takes the audio of an offer of audio and video, having gathered its candidates.
let chromiumsAnswerSDP = sdpText(
  """
  v=0
  o=- 7016429370121 2 IN IP4 127.0.0.1
  s=-
  t=0 0
  a=group:BUNDLE 0
  a=extmap-allow-mixed
  a=msid-semantic: WMS
  m=audio 49290 UDP/TLS/RTP/SAVPF 111 0
  c=IN IP4 198.51.100.7
  a=rtcp:9 IN IP4 0.0.0.0
  a=candidate:125635254 1 udp 2122260223 10.77.0.1 44825 typ host generation 0 network 1
  a=candidate:842163049 1 udp 1686052607 203.0.113.5 44825 typ srflx raddr 10.77.0.1 rport 44825 generation 0 network 1
  a=candidate:3606213 1 udp 41885439 198.51.100.7 49290 typ relay raddr 203.0.113.5 rport 44825 generation 0 network 1
  a=candidate:4233069003 1 udp 2122194687 2001:db8::7 51372 typ host generation 0 network 2
  a=candidate:1019829774 1 tcp 1518280447 10.77.0.1 9 typ host tcptype active generation 0 network 1
  a=end-of-candidates
  a=ice-ufrag:zn2Z
  a=ice-pwd:TKOm6LU8DXT5EWGqJ9B29BHD
  a=ice-options:trickle
  a=fingerprint:sha-256 A7:07:47:A6:02:9F:16:25:6F:EF:53:06:03:74:E7:9E:A5:95:17:B3:2C:7B:B7:6B:F3:7E:46:6D:F0:3A:55:CB
  a=setup:active
  a=mid:0
  a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
  a=sendrecv
  a=rtcp-mux
  a=rtpmap:111 opus/48000/2
  a=fmtp:111 minptime=10;useinbandfec=1
  a=rtpmap:0 PCMU/8000
  a=maxptime:120
  a=ptime:20
  a=ssrc:2555386590 cname:qEqybNNUf9VmN+/N
  m=video 0 UDP/TLS/RTP/SAVPF 96 97 102 103 118 119 120
  c=IN IP4 0.0.0.0
  a=mid:1
  a=inactive
  """)

/// Firefox offers audio, video to receive, and a data channel: what counts for all m-lines stands above them.
let firefoxsSDP = sdpText(
  """
  v=0
  o=mozilla...THIS_IS_SDPARTA-99.0 4971124127311586914 0 IN IP4 0.0.0.0
  s=-
  t=0 0
  a=sendrecv
  a=fingerprint:sha-256 7C:A5:17:10:3B:0B:1D:94:D8:C9:50:ED:99:20:69:D9:C7:18:73:3E:6E:4A:2F:0E:2F:95:2F:12:07:70:45:04
  a=group:BUNDLE 0 1 2
  a=ice-options:trickle
  a=msid-semantic:WMS *
  m=audio 9 UDP/TLS/RTP/SAVPF 109 9 0 8 101
  c=IN IP4 0.0.0.0
  a=sendrecv
  a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
  a=extmap:2/recvonly urn:ietf:params:rtp-hdrext:csrc-audio-level
  a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid
  a=fmtp:109 maxplaybackrate=48000;stereo=1;useinbandfec=1
  a=fmtp:101 0-15
  a=ice-pwd:c92b4da9ff97438bdbd0b2c0bfc8c2a5
  a=ice-ufrag:68ffcbcb
  a=mid:0
  a=msid:{7d5d38a2-4ae2-4a3f-9e18-df1c9d8f3c37} {ba1a1ec8-7d12-4ac0-9f3c-2a2cd1a5f7d1}
  a=rtcp-mux
  a=rtpmap:109 opus/48000/2
  a=rtpmap:9 G722/8000/1
  a=rtpmap:0 PCMU/8000
  a=rtpmap:8 PCMA/8000
  a=rtpmap:101 telephone-event/8000/1
  a=setup:actpass
  a=ssrc:3735928559 cname:{4b16c9b0-7f3c-4be9-8b5e-5b2d1f0d2b9c}
  m=video 0 UDP/TLS/RTP/SAVPF 120 124
  c=IN IP4 0.0.0.0
  a=bundle-only
  a=recvonly
  a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid
  a=fmtp:120 max-fs=12288;max-fr=60
  a=fmtp:124 apt=120
  a=mid:1
  a=rtcp-fb:120 nack
  a=rtcp-fb:120 nack pli
  a=rtcp-fb:120 ccm fir
  a=rtcp-mux
  a=rtcp-rsize
  a=rtpmap:120 VP8/90000
  a=rtpmap:124 rtx/90000
  a=simulcast:recv q;h
  m=application 9 UDP/DTLS/SCTP webrtc-datachannel
  c=IN IP4 0.0.0.0
  a=sendrecv
  a=ice-pwd:c92b4da9ff97438bdbd0b2c0bfc8c2a5
  a=ice-ufrag:68ffcbcb
  a=mid:2
  a=setup:actpass
  a=sctp-port:5000
  a=max-message-size:1073741823
  """)

/// One m-line inside the least that is a description.
func sdp(_ media: String) -> String {
  sdpText("v=0\no=- 1 2 IN IP4 127.0.0.1\ns=-\nt=0 0\n" + media)
}
