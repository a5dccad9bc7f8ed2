/* What Swift cannot import from FFmpeg's libraries: macros that compute. */
#ifndef CARILLON_CFFMPEG_SHIMS_H
#define CARILLON_CFFMPEG_SHIMS_H
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/channel_layout.h>
#include <libavutil/opt.h>
#include <libswresample/swresample.h>

static inline int carillon_averror(int code) { return AVERROR(code); }
static inline int carillon_averror_eof(void) { return AVERROR_EOF; }
static inline int64_t carillon_av_nopts(void) { return AV_NOPTS_VALUE; }
#endif
