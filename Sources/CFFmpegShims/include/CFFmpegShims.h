/* What Swift cannot import from FFmpeg's libraries: macros that compute. */
#ifndef CARILLON_CFFMPEG_SHIMS_H
#define CARILLON_CFFMPEG_SHIMS_H
#include <libavutil/error.h>

static inline int carillon_averror(int code) { return AVERROR(code); }
static inline int carillon_averror_eof(void) { return AVERROR_EOF; }
static inline int carillon_averror_invalid_data(void) { return AVERROR_INVALIDDATA; }
static inline int carillon_averror_stream_not_found(void) { return AVERROR_STREAM_NOT_FOUND; }
#endif
