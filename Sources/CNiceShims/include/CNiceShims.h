/* What Swift cannot import from libnice and GObject: variadic functions and function-like macros; and what the kernel's
   headers say with macros. */
#ifndef CARILLON_CNICE_SHIMS_H
#define CARILLON_CNICE_SHIMS_H
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <nice/agent.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static inline void carillon_object_set_bool(gpointer object, const char *name, gboolean value) {
  g_object_set(object, name, value, NULL);
}
static inline void carillon_object_set_uint(gpointer object, const char *name, guint value) {
  g_object_set(object, name, value, NULL);
}
static inline void carillon_object_set_string(gpointer object, const char *name, const char *value) {
  g_object_set(object, name, value, NULL);
}
static inline gboolean carillon_object_get_bool(gpointer object, const char *name) {
  gboolean value = FALSE;
  g_object_get(object, name, &value, NULL);
  return value;
}
static inline gulong carillon_signal_connect(
    gpointer object, const char *signal, GCallback callback, gpointer context) {
  return g_signal_connect_data(object, signal, callback, context, NULL, (GConnectFlags)0);
}
static inline void carillon_signal_disconnect_context(gpointer object, gpointer context) {
  g_signal_handlers_disconnect_matched(object, G_SIGNAL_MATCH_DATA, 0, 0, NULL, NULL, context);
}
static inline void carillon_object_unref(gpointer object) { g_object_unref(object); }
static inline guint32 carillon_address_scope(const NiceAddress *address) {
  return address->s.addr.sa_family == AF_INET6 ? address->s.ip6.sin6_scope_id : 0;
}

/* Lets the component's listening TCP sockets take connections from those addresses only; from nobody when there are none.
   libnice accepts whoever comes, without a bound. Addresses are 16 bytes each, IPv4 mapped into IPv6. */
static inline void carillon_listeners_accept_only(
    NiceAgent *agent, guint stream, guint component, const guint8 *addresses, guint count) {
  enum { allow = 0x7fffffff, network = SKF_NET_OFF };
  GPtrArray *sockets = nice_agent_get_sockets(agent, stream, component);
  if (sockets == NULL) return;
  for (guint i = 0; i < sockets->len; i++) {
    int fd = g_socket_get_fd(g_ptr_array_index(sockets, i));
    int listens = 0, family = 0;
    socklen_t length = sizeof listens;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) != 0 || !listens) continue;
    length = sizeof family;
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &length) != 0) continue;
    struct sock_filter code[128 * 9 + 2];
    unsigned short used = 0;
    if (family == AF_INET) code[used++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, network + 12);
    for (guint a = 0; a < count && a < 128; a++) {
      const guint8 *address = addresses + 16 * a;
      guint32 words[4];
      memcpy(words, address, 16);
      gboolean mapped = words[0] == 0 && words[1] == 0 && words[2] == htonl(0xffff);
      if (family == AF_INET && mapped) {
        code[used++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ntohl(words[3]), 0, 1);
        code[used++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, allow);
      } else if (family == AF_INET6 && !mapped) {
        for (int word = 0; word < 4; word++) {
          code[used++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, network + 8 + 4 * word);
          code[used++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ntohl(words[word]), 0, 7 - 2 * word);
        }
        code[used++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, allow);
      }
    }
    code[used++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
    struct sock_fprog program = {used, code};
    setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
  }
  g_ptr_array_unref(sockets);
}
/* A socket that has something to read whenever addresses, links or routes change; -1 on failure. */
static inline int carillon_open_address_changes(void) {
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
  if (fd < 0) return -1;
  struct sockaddr_nl address = {.nl_family = AF_NETLINK};
  address.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
  if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0) {
    close(fd);
    return -1;
  }
  return fd;
}
#endif
