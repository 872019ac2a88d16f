/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The few functions of libuv that wait for a file descriptor. Node exports them, and node-api-headers, which the addon
 * is built against, does not declare them. They are part of libuv's stable 1.x interface and take opaque handles, so
 * that these declarations depend on no layout; the number of the handle type is checked by its name when it is used.
 */
#ifndef VMN_ADDON_UV_POLL_H
#define VMN_ADDON_UV_POLL_H

#include <cstddef>

struct uv_loop_s; /* from napi_get_uv_event_loop() */

extern "C" {
struct uv_handle_s;
struct uv_poll_s;

size_t uv_handle_size(int type);
const char *uv_handle_type_name(int type);
int uv_poll_init(uv_loop_s *loop, uv_poll_s *handle, int fd);
int uv_poll_start(uv_poll_s *handle, int events, void (*callback)(uv_poll_s *, int status, int events));
int uv_poll_stop(uv_poll_s *handle);
void uv_close(uv_handle_s *handle, void (*callback)(uv_handle_s *));
void uv_handle_set_data(uv_handle_s *handle, void *data);
void *uv_handle_get_data(const uv_handle_s *handle);
}

constexpr int vmn_uv_poll_type = 8; /* UV_POLL */
constexpr int vmn_uv_readable = 1;  /* UV_READABLE */

#endif
