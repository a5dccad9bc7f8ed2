/* vpx_codec_control is variadic, and the inits are macros that add the ABI version. */
#ifndef CARILLON_CVPX_SHIMS_H
#define CARILLON_CVPX_SHIMS_H
#include <vpx/vp8dx.h>
#include <vpx/vpx_decoder.h>
#include <vpx/vpx_encoder.h>

static inline vpx_codec_err_t carillon_vpx_encoder_init(
    vpx_codec_ctx_t *codec, vpx_codec_iface_t *interface, const vpx_codec_enc_cfg_t *configuration) {
  return vpx_codec_enc_init(codec, interface, configuration, 0);
}
static inline vpx_codec_err_t carillon_vpx_decoder_init(
    vpx_codec_ctx_t *codec, vpx_codec_iface_t *interface, const vpx_codec_dec_cfg_t *configuration) {
  return vpx_codec_dec_init(codec, interface, configuration, 0);
}
/* For the controls that take an int or an unsigned int. */
static inline vpx_codec_err_t carillon_vpx_set(vpx_codec_ctx_t *codec, int control, int value) {
  return vpx_codec_control_(codec, control, value);
}
static inline vpx_codec_err_t carillon_vpx_is_corrupted(vpx_codec_ctx_t *codec, int *value) {
  return vpx_codec_control_(codec, VP8D_GET_FRAME_CORRUPTED, value);
}
#endif
