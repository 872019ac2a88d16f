/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file descriptor on Node's event loop. Life: open() -> readable() as often as there is something to read -> close(),
 * once, by JavaScript or by the end of its environment. While open it keeps the process alive, afterwards it does not.
 */
#ifndef VMN_ADDON_WATCH_H
#define VMN_ADDON_WATCH_H

#include <memory>

#include "marshal.h"
#include "uv_poll.h"

namespace vmn {

class Watch : public std::enable_shared_from_this<Watch> {
public:
	Watch(Napi::Function callback, const char *name);
	virtual ~Watch() = default;
	Watch(const Watch &) = delete;
	Watch &operator=(const Watch &) = delete;

	/* Starts watching; the watch owns itself until it is closed. Answers { close() }. */
	Napi::Value open(int fd);
	void close();

protected:
	/* Reads a bounded amount and calls back for it. JavaScript may call close() meanwhile. */
	virtual void readable(Napi::Env env) = 0;
	/* Gives back what the descriptor belongs to; the loop no longer looks at it. */
	virtual void release() = 0;

	void call(Napi::Env env, std::initializer_list<napi_value> arguments);
	bool closed() const { return closed_; }

private:
	static void on_ready(uv_poll_s *handle, int status, int events);
	static void on_closed(uv_handle_s *handle);
	static void on_teardown(napi_async_cleanup_hook_handle handle, void *data);

	Napi::Env env_;
	Napi::FunctionReference callback_;
	std::unique_ptr<Napi::AsyncContext> context_;
	uv_poll_s *handle_ = nullptr;
	napi_async_cleanup_hook_handle teardown_ = nullptr;
	std::shared_ptr<Watch> self_;
	bool closed_ = false;
};

/* A descriptor that belongs to the watch alone, and is closed with it. */
class DescriptorWatch : public Watch {
public:
	using Watch::Watch;

	Napi::Value adopt(int fd);

protected:
	int descriptor() const { return fd_; }
	void release() override;

private:
	int fd_ = -1;
};

} // namespace vmn

#endif
