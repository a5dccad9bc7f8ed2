/* opus_encoder_ctl and opus_decoder_ctl are variadic: one function per request. */
#ifndef CARILLON_COPUS_SHIMS_H
#define CARILLON_COPUS_SHIMS_H
#include <opus/opus.h>

static inline int carillon_opus_encoder_set(OpusEncoder *encoder, int request, opus_int32 value) {
  return opus_encoder_ctl(encoder, request, value);
}
static inline int carillon_opus_encoder_get(OpusEncoder *encoder, int request, opus_int32 *value) {
  return opus_encoder_ctl(encoder, request, value);
}
static inline int carillon_opus_encoder_reset(OpusEncoder *encoder) {
  return opus_encoder_ctl(encoder, OPUS_RESET_STATE);
}
static inline int carillon_opus_decoder_reset(OpusDecoder *decoder) {
  return opus_decoder_ctl(decoder, OPUS_RESET_STATE);
}
#endif
