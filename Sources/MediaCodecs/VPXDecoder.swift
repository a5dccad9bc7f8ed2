import CVPX
import CVPXShims

/// Turns VP8 or VP9 frames into pictures.
///
/// Belongs to one codec thread. Every picture has the size that its frame states, which may change from one to the next. After
/// a frame that cannot be decoded, those that follow are refused until a key frame comes.
///
/// - Specification: RFC 6386
package final class VPXDecoder {
  /// What it decodes.
  package let codecName: VideoCodec
  private let pixelLimit: Int
  private var codec: UnsafeMutablePointer<vpx_codec_ctx_t>?

  /// Whether only a key frame can be decoded next.
  package private(set) var needsKeyFrame = true

  /// - Parameter pixelLimit: the pixels of the largest picture that is decoded; larger ones are refused before memory is
  ///   taken for them. 4K unless told otherwise, and never more than 16 383 a side.
  package init(codec: VideoCodec, pixelLimit: Int = 4_096 * 2_304) {
    codecName = codec
    self.pixelLimit = pixelLimit
  }

  deinit { release() }

  /// Decodes one frame, in VP9 with the hidden ones before it.
  ///
  /// - Parameters:
  ///   - packet: a whole frame; any bytes are safe.
  ///   - timestamp: given to the picture.
  /// - Returns: nil when the frame is not for showing.
  package func decode(_ packet: Span<UInt8>, timestamp: Duration) throws(VPXError) -> VideoFrame? {
    do throws(VPXError) {
      let isKeyFrame = try check(packet)
      guard isKeyFrame || !needsKeyFrame else { throw .keyFrameNeeded }
      // What was damaged may have left anything behind: begin anew.
      if needsKeyFrame { try begin() }
      let frame = try run(packet, timestamp)
      needsKeyFrame = false
      return frame
    } catch {
      needsKeyFrame = true
      throw error
    }
  }

  /// Whether the packet begins with a key frame, and everything in it is of a permitted size.
  private func check(_ packet: Span<UInt8>) throws(VPXError) -> Bool {
    let frames = codecName == .vp9 ? VPXFrameHeader.vp9Frames(in: packet) : [0..<packet.count]
    guard let frames, let first = frames.first else { throw .corruptFrame }
    var isKeyFrame = false
    for range in frames {
      guard let header = VPXFrameHeader(codecName, packet.extracting(range)) else { throw .corruptFrame }
      if range == first { isKeyFrame = header.isKeyFrame }
      guard let size = header.size else { continue }
      guard size.width > 0, size.height > 0 else { throw .corruptFrame }
      guard size.isValid, size.pixelCount <= pixelLimit else { throw .tooLarge(size) }
    }
    return isKeyFrame
  }

  private func run(_ packet: Span<UInt8>, _ timestamp: Duration) throws(VPXError) -> VideoFrame? {
    guard let codec else { throw .keyFrameNeeded }
    let status = packet.withUnsafeBufferPointer { packet in
      vpx_codec_decode(codec, packet.baseAddress, UInt32(clamping: packet.count), nil, 0)
    }
    var isCorrupted: Int32 = 0
    guard status == VPX_CODEC_OK, carillon_vpx_is_corrupted(codec, &isCorrupted) == VPX_CODEC_OK, isCorrupted == 0
    else { throw status == VPX_CODEC_MEM_ERROR ? VPXError(code: status) : .corruptFrame }

    var iterator: vpx_codec_iter_t?
    var frame: VideoFrame?
    while let image = vpx_codec_get_frame(codec, &iterator) { frame = try copy(image, timestamp) }
    return frame
  }

  private func copy(_ image: UnsafeMutablePointer<vpx_image_t>, _ timestamp: Duration) throws(VPXError) -> VideoFrame {
    let image = image.pointee
    let size = VideoSize(width: Int(image.d_w), height: Int(image.d_h))
    // A VP9 packet of frames without an index shows the sizes of its later frames only now.
    guard size.isValid, size.pixelCount <= pixelLimit else { throw .tooLarge(size) }
    guard image.fmt == VPX_IMG_FMT_I420, let y = image.planes.0, let u = image.planes.1, let v = image.planes.2 else {
      throw .corruptFrame
    }
    let sources = [(y, Int(image.stride.0)), (u, Int(image.stride.1)), (v, Int(image.stride.2))]
    return VideoFrame(size: size, timestamp: timestamp) { planes, strides in
      for (plane, (source, stride)) in sources.enumerated() {
        let visible = plane == 0 ? size : size.chroma
        for row in 0..<visible.height {
          let target = planes[plane].advanced(by: row * Int(strides[plane]))
          target.update(from: source.advanced(by: row * stride), count: visible.width)
        }
      }
    }
  }

  private func begin() throws(VPXError) {
    release()
    let codec = UnsafeMutablePointer<vpx_codec_ctx_t>.allocate(capacity: 1)
    codec.initialize(to: vpx_codec_ctx_t())
    var settings = vpx_codec_dec_cfg_t(threads: 1, w: 0, h: 0)
    let interface = codecName == .vp8 ? vpx_codec_vp8_dx() : vpx_codec_vp9_dx()
    let status = carillon_vpx_decoder_init(codec, interface, &settings)
    guard status == VPX_CODEC_OK else {
      codec.deallocate()
      throw VPXError(code: status)
    }
    self.codec = codec
  }

  private func release() {
    guard let codec else { return }
    vpx_codec_destroy(codec)
    codec.deallocate()
    self.codec = nil
  }
}
