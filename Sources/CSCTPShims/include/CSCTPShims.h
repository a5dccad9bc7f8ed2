/* What Swift cannot import from usrsctp: a variadic callback, and a structure that ends in a list. */
#ifndef CARILLON_CSCTP_SHIMS_H
#define CARILLON_CSCTP_SHIMS_H
#include <stddef.h>
#include <usrsctp.h>

typedef int (*carillon_sctp_output)(void *address, void *packet, size_t length, uint8_t tos, uint8_t set_df);

static inline void carillon_sctp_start(carillon_sctp_output output) {
  usrsctp_init_nothreads(0, output, NULL);
}
/* Ends the stream that goes out; queued messages go first. */
static inline int carillon_sctp_reset_stream(struct socket *socket, uint16_t stream) {
  struct {
    struct sctp_reset_streams request;
    uint16_t stream;
  } reset = {{0}, stream};
  reset.request.srs_flags = SCTP_STREAM_RESET_OUTGOING;
  reset.request.srs_number_streams = 1;
  return usrsctp_setsockopt(
    socket, IPPROTO_SCTP, SCTP_RESET_STREAMS, &reset, sizeof(struct sctp_reset_streams) + sizeof(uint16_t));
}
#endif
