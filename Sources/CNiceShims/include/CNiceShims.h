/* What Swift cannot import from libnice and GObject: variadic functions and function-like macros. */
#ifndef CARILLON_CNICE_SHIMS_H
#define CARILLON_CNICE_SHIMS_H
#include <nice/agent.h>

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
#endif
