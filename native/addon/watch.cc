// SPDX-License-Identifier: Apache-2.0
#include "watch.h"

#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace vmn {

Watch::Watch(Napi::Function callback, const char *name)
	: env_(callback.Env()), callback_(Napi::Persistent(callback)),
	  context_(std::make_unique<Napi::AsyncContext>(callback.Env(), name))
{
}

Napi::Value Watch::open(int fd)
{
	uv_loop_s *loop;

	const char *type = uv_handle_type_name(vmn_uv_poll_type);
	if (!type || std::strcmp(type, "poll") != 0 || napi_get_uv_event_loop(env_, &loop) != napi_ok)
		throw Napi::Error::New(env_, "vmnet.node: this Node's event loop is of an unknown kind");
	handle_ = static_cast<uv_poll_s *>(std::calloc(1, uv_handle_size(vmn_uv_poll_type)));
	if (!handle_ || uv_poll_init(loop, handle_, fd)) {
		std::free(handle_);
		throw Napi::Error::New(env_, "vmnet.node: cannot watch a file descriptor");
	}
	uv_handle_set_data(reinterpret_cast<uv_handle_s *>(handle_), this);
	self_ = shared_from_this();
	napi_add_async_cleanup_hook(env_, on_teardown, this, &teardown_);
	if (uv_poll_start(handle_, vmn_uv_readable, on_ready)) {
		close();
		throw Napi::Error::New(env_, "vmnet.node: cannot watch a file descriptor");
	}
	Napi::Object result = Napi::Object::New(env_);
	result.Set("close", Napi::Function::New(env_, [watch = self_](const Napi::CallbackInfo &) { watch->close(); }));
	return result;
}

void Watch::close()
{
	if (closed_)
		return;
	closed_ = true;
	uv_poll_stop(handle_);
	release();
	callback_.Reset();
	context_.reset();
	uv_close(reinterpret_cast<uv_handle_s *>(handle_), on_closed);
}

void Watch::on_closed(uv_handle_s *handle)
{
	Watch *watch = static_cast<Watch *>(uv_handle_get_data(handle));

	if (watch->teardown_)
		napi_remove_async_cleanup_hook(watch->teardown_);
	std::free(handle);
	watch->self_.reset(); /* may be the last */
}

void Watch::on_teardown(napi_async_cleanup_hook_handle, void *data)
{
	static_cast<Watch *>(data)->close();
}

void Watch::on_ready(uv_poll_s *handle, int status, int)
{
	std::shared_ptr<Watch> watch =
		static_cast<Watch *>(uv_handle_get_data(reinterpret_cast<uv_handle_s *>(handle)))->self_;
	Napi::HandleScope scope(watch->env_);

	try {
		watch->readable(watch->env_);
		/*
		 * libuv stops watching when the descriptor is in error, as a netlink socket is when its queue overflowed. By
		 * now the error was taken from it.
		 */
		if (status && !watch->closed_ && uv_poll_start(handle, vmn_uv_readable, on_ready))
			throw Napi::Error::New(watch->env_, "vmnet.node: cannot go on watching a file descriptor");
	} catch (const Napi::Error &error) {
		/* Of no more use: better closed and said than polled for ever. */
		watch->close();
		napi_fatal_exception(watch->env_, error.Value());
	}
}

void Watch::call(Napi::Env env, std::initializer_list<napi_value> arguments)
{
	/* What the callback throws is nobody's else to catch: it becomes an uncaughtException. */
	try {
		callback_.Value().MakeCallback(env.Global(), arguments, *context_);
	} catch (const Napi::Error &error) {
		napi_fatal_exception(env, error.Value());
	}
}

Napi::Value DescriptorWatch::adopt(int fd)
{
	fd_ = fd;
	try {
		return open(fd_);
	} catch (...) {
		release();
		throw;
	}
}

void DescriptorWatch::release()
{
	if (fd_ >= 0)
		::close(fd_);
	fd_ = -1;
}

} // namespace vmn
