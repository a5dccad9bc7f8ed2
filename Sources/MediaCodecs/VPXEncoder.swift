import CVPX
import CVPXShims
import MediaTime

/// Turns pictures into VP8 or VP9 frames, in real time: one pass, constant bitrate, no look-ahead.
///
/// Belongs to one codec thread. A picture of another size than the one before is a new beginning with a key frame.
///
/// There is one spatial and one temporal layer. More temporal layers would be set up in `libraryConfiguration` (`ts_…`, and
/// `g_error_resilient`), and `encode` would pass each picture's reference flags and layer.
///
/// - Specification: RFC 6386
package final class VPXEncoder {
  package struct Configuration: Sendable {
    package var codec: VideoCodec
    /// The target bitrate.
    package var bitsPerSecond = 800_000
    /// How many pictures a second are expected; what comes is measured by the timestamps.
    package var framesPerSecond = 30
    /// 1 or 2.
    package var threadCount = 1
    /// Whether a picture may be left out to keep to the bitrate.
    package var dropsFrames = true

    package init(codec: VideoCodec) { self.codec = codec }
  }

  /// An encoded picture.
  package struct Packet: Sendable {
    package var bytes: [UInt8]
    package var isKeyFrame: Bool
    /// The picture's.
    package var timestamp: Duration
    /// The picture's.
    package var size: VideoSize
  }

  /// What the target bitrate may be.
  package static let bitrates = 30_000...20_000_000

  private let configuration: Configuration
  private var codec: UnsafeMutablePointer<vpx_codec_ctx_t>?
  private var settings: vpx_codec_enc_cfg_t
  private var size: VideoSize?
  private var wantsKeyFrame = false
  /// In ticks of 1/90 000 s; libvpx wants time to go forward.
  private var lastTime: Int64 = -1

  package init(_ configuration: Configuration) throws(VPXError) {
    precondition((1...2).contains(configuration.threadCount), "a picture is encoded by one thread or two")
    precondition((1...120).contains(configuration.framesPerSecond), "video has 1 to 120 pictures a second")
    self.configuration = configuration
    settings = try Self.libraryConfiguration(configuration)
    bitsPerSecond = configuration.bitsPerSecond
  }

  deinit { release() }

  /// The target bitrate, held within `bitrates`; changes with the next picture.
  package var bitsPerSecond: Int {
    didSet {
      settings.rc_target_bitrate = Self.kilobits(bitsPerSecond)
      // Without a codec yet, the first picture brings it along.
      guard let codec, oldValue != bitsPerSecond else { return }
      let status = vpx_codec_enc_config_set(codec, &settings)
      precondition(status == VPX_CODEC_OK, "only the bitrate changed, within what libvpx takes")
    }
  }

  /// Makes the next packet a key frame.
  package func requestKeyFrame() { wantsKeyFrame = true }

  /// Encodes one picture.
  ///
  /// - Returns: nil when rate control left it out; a requested key frame then is the next one.
  package func encode(_ frame: VideoFrame) throws(VPXError) -> Packet? {
    if frame.size != size { try begin(frame.size) }
    guard let codec else { throw .library("the encoder is not open") }
    let duration = Int64(90_000 / configuration.framesPerSecond)
    let nanoseconds = frame.timestamp.nanoseconds
    let time = nanoseconds / 100_000 * 9 + nanoseconds % 100_000 * 9 / 100_000
    lastTime = time > lastTime ? time : lastTime &+ duration

    let flags = wantsKeyFrame ? vpx_enc_frame_flags_t(VPX_EFLAG_FORCE_KF) : 0
    let status = frame.withUnsafePlanes { planes, strides in
      var image = vpx_image_t()
      vpx_img_wrap(&image, VPX_IMG_FMT_I420, UInt32(frame.width), UInt32(frame.height), 1, planes[0])
      image.planes = (planes[0], planes[1], planes[2], nil)
      image.stride = (strides[0], strides[1], strides[2], 0)
      return vpx_codec_encode(codec, &image, lastTime, UInt(duration), flags, UInt(VPX_DL_REALTIME))
    }
    guard status == VPX_CODEC_OK else { throw VPXError(code: status) }

    var bytes: [UInt8] = []
    var isKeyFrame = false
    var iterator: vpx_codec_iter_t?
    while let packet = vpx_codec_get_cx_data(codec, &iterator) {
      guard packet.pointee.kind == VPX_CODEC_CX_FRAME_PKT, let start = packet.pointee.data.frame.buf else { continue }
      bytes += UnsafeRawBufferPointer(start: start, count: packet.pointee.data.frame.sz)
      isKeyFrame = isKeyFrame || packet.pointee.data.frame.flags & UInt32(VPX_FRAME_IS_KEY) != 0
    }
    guard !bytes.isEmpty else { return nil }
    if isKeyFrame { wantsKeyFrame = false }
    return Packet(bytes: bytes, isKeyFrame: isKeyFrame, timestamp: frame.timestamp, size: frame.size)
  }

  // MARK: libvpx

  /// A fresh encoder: libvpx cannot grow beyond the size that it began with, and a new size needs a key frame anyhow.
  private func begin(_ size: VideoSize) throws(VPXError) {
    release()
    settings.g_w = UInt32(size.width)
    settings.g_h = UInt32(size.height)
    let codec = UnsafeMutablePointer<vpx_codec_ctx_t>.allocate(capacity: 1)
    codec.initialize(to: vpx_codec_ctx_t())
    let status = carillon_vpx_encoder_init(codec, Self.interface(configuration.codec), &settings)
    guard status == VPX_CODEC_OK else {
      codec.deallocate()
      throw VPXError(code: status)
    }
    self.codec = codec
    self.size = size
    wantsKeyFrame = true
    for (control, value) in controls {
      let status = carillon_vpx_set(codec, Int32(control.rawValue), Int32(value))
      guard status == VPX_CODEC_OK else { throw VPXError(code: status) }
    }
  }

  private func release() {
    guard let codec else { return }
    vpx_codec_destroy(codec)
    codec.deallocate()
    self.codec = nil
    size = nil
  }

  private static func interface(_ codec: VideoCodec) -> OpaquePointer? {
    codec == .vp8 ? vpx_codec_vp8_cx() : vpx_codec_vp9_cx()
  }

  private static func kilobits(_ bitsPerSecond: Int) -> UInt32 {
    UInt32(min(max(bitsPerSecond, bitrates.lowerBound), bitrates.upperBound) / 1_000)
  }

  /// The settings that browsers use for camera pictures.
  private static func libraryConfiguration(_ wanted: Configuration) throws(VPXError) -> vpx_codec_enc_cfg_t {
    var settings = vpx_codec_enc_cfg_t()
    let status = vpx_codec_enc_config_default(interface(wanted.codec), &settings, 0)
    guard status == VPX_CODEC_OK else { throw VPXError(code: status) }
    settings.g_threads = UInt32(wanted.threadCount)
    settings.g_timebase = vpx_rational_t(num: 1, den: 90_000)
    settings.g_pass = VPX_RC_ONE_PASS
    settings.g_lag_in_frames = 0
    // Losses are repaired by retransmission and key frames, not by pictures that lean less on each other.
    settings.g_error_resilient = 0
    settings.kf_mode = VPX_KF_DISABLED
    settings.rc_end_usage = VPX_CBR
    settings.rc_target_bitrate = kilobits(wanted.bitsPerSecond)
    settings.rc_dropframe_thresh = wanted.dropsFrames ? 30 : 0
    settings.rc_resize_allowed = 0
    settings.rc_min_quantizer = 2
    settings.rc_max_quantizer = 56
    settings.rc_undershoot_pct = 100
    settings.rc_overshoot_pct = 15
    // Milliseconds at the target bitrate.
    settings.rc_buf_initial_sz = 500
    settings.rc_buf_optimal_sz = 600
    settings.rc_buf_sz = 1_000
    return settings
  }

  private var controls: [(vp8e_enc_control_id, Int)] {
    // A key frame may take half of the optimal buffer: in percent of a mean frame.
    let keyFramePercent = max(300, Int(settings.rc_buf_optimal_sz) * configuration.framesPerSecond / 20)
    let common: [(vp8e_enc_control_id, Int)] = [
      (VP8E_SET_STATIC_THRESHOLD, 1), (VP8E_SET_MAX_INTRA_BITRATE_PCT, keyFramePercent),
    ]
    return switch configuration.codec {
    case .vp8: common + [(VP8E_SET_CPUUSED, -6), (VP8E_SET_TOKEN_PARTITIONS, 0), (VP8E_SET_NOISE_SENSITIVITY, 0)]
    case .vp9:
      common + [
        (VP8E_SET_CPUUSED, 7), (VP9E_SET_AQ_MODE, 3), (VP9E_SET_FRAME_PARALLEL_DECODING, 0),
        (VP9E_SET_TILE_COLUMNS, configuration.threadCount - 1), (VP9E_SET_NOISE_SENSITIVITY, 0),
        // BT.601, as `VideoFrame` has it: without a word, receivers take another one.
        (VP9E_SET_COLOR_SPACE, 1),
      ]
    }
  }
}
