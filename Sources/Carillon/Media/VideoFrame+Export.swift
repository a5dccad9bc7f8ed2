public import MediaCodecs

/// One picture: planar I420 in the limited range.
public typealias VideoFrame = MediaCodecs.VideoFrame

/// A picture's width and height in pixels.
public typealias VideoSize = MediaCodecs.VideoSize

/// The video codecs that calls use, by their names in RTP payload types.
public typealias VideoCodec = MediaCodecs.VideoCodec
