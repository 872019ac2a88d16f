// SPDX-License-Identifier: Apache-2.0
/* Other processes: which taps they hold, where they listen, and their end. */
#include <cstdlib>
#include <memory>

#include "watch.h"

extern "C" {
#include "process.h"
#include "tun_files.h"
#include "unix_sockets.h"
}

namespace vmn {
namespace {

Napi::Object tun_file_of(Napi::Env env, const vmn_tun_file &file)
{
	static const char *const kinds[] = {"tap", "tun", "macvtap"};
	Napi::Object result = Napi::Object::New(env);

	result.Set("fd", Napi::Number::New(env, file.fd));
	result.Set("kind", kinds[file.kind]);
	result.Set("name", file.name);
	result.Set("netns", Napi::Number::New(env, static_cast<double>(file.netns)));
	return result;
}

/* (pid, descriptors: Int32Array | null: all) */
Napi::Value tun_files(const Napi::CallbackInfo &info)
{
	Napi::Env env = info.Env();
	vmn_descriptors which = {nullptr, 0};
	vmn_tun_file *files = nullptr;
	size_t count = 0;
	Failure failure;

	if (!info[1].IsNull()) {
		if (!info[1].IsTypedArray() || info[1].As<Napi::TypedArray>().TypedArrayType() != napi_int32_array)
			bad_argument(env, "an Int32Array");
		/* An empty array may have no memory, and NULL means all. */
		static const int nothing = 0;
		Napi::Int32Array numbers = info[1].As<Napi::Int32Array>();
		which = {numbers.ElementLength() ? numbers.Data() : &nothing, numbers.ElementLength()};
	}
	failure.check(env, vmn_tun_files(static_cast<int>(u32(info, 0)), &which, &files, &count, failure.get()));
	std::unique_ptr<vmn_tun_file, decltype(&std::free)> owner(files, std::free);
	Napi::Array result = Napi::Array::New(env, count);
	for (size_t i = 0; i < count; i++)
		result.Set(static_cast<uint32_t>(i), tun_file_of(env, files[i]));
	return result;
}

Napi::Object unix_socket_of(Napi::Env env, const vmn_unix_socket &socket)
{
	Napi::Object result = Napi::Object::New(env);

	result.Set("path", socket.path);
	result.Set("listening", Napi::Boolean::New(env, socket.listening));
	result.Set("peerPid", Napi::Number::New(env, socket.peer_pid));
	return result;
}

/* (pid) */
Napi::Value unix_sockets(const Napi::CallbackInfo &info)
{
	Napi::Env env = info.Env();
	vmn_unix_socket *sockets = nullptr;
	size_t count = 0;
	Failure failure;

	failure.check(env, vmn_unix_sockets(static_cast<int>(u32(info, 0)), &sockets, &count, failure.get()));
	std::unique_ptr<vmn_unix_socket, decltype(&std::free)> owner(sockets, std::free);
	Napi::Array result = Napi::Array::New(env, count);
	for (size_t i = 0; i < count; i++)
		result.Set(static_cast<uint32_t>(i), unix_socket_of(env, sockets[i]));
	return result;
}

/* (pid, fd): a file descriptor */
Napi::Value tun_netns(const Napi::CallbackInfo &info)
{
	Failure failure;
	int pid = static_cast<int>(u32(info, 0));
	int fd = static_cast<int>(u32(info, 1));

	return Napi::Number::New(info.Env(), failure.check(info.Env(), vmn_tun_netns(pid, fd, failure.get())));
}

class ProcessWatch : public DescriptorWatch {
public:
	using DescriptorWatch::DescriptorWatch;

protected:
	/* Readable is a pidfd once its process has ended, and for ever. */
	void readable(Napi::Env env) override
	{
		call(env, {});
		close();
	}
};

/* (pid, () => void) */
Napi::Value watch_process_end(const Napi::CallbackInfo &info)
{
	auto watch = std::make_shared<ProcessWatch>(function(info, 1), "vmnetwork:process");
	Failure failure;

	return watch->adopt(failure.check(info.Env(), vmn_process_open(static_cast<int>(u32(info, 0)), failure.get())));
}

/* (pid): a descriptor of the process */
Napi::Value open_process(const Napi::CallbackInfo &info)
{
	Failure failure;
	int pid = static_cast<int>(u32(info, 0));

	return Napi::Number::New(info.Env(), failure.check(info.Env(), vmn_process_open(pid, failure.get())));
}

/* (descriptor of a process, signal) */
void signal_process(const Napi::CallbackInfo &info)
{
	Failure failure;

	failure.check(info.Env(),
	              vmn_process_signal(static_cast<int>(u32(info, 0)), static_cast<int>(u32(info, 1)), failure.get()));
}

/* (descriptor of a process, () => void): watches a second descriptor of the same process */
Napi::Value watch_process(const Napi::CallbackInfo &info)
{
	auto watch = std::make_shared<ProcessWatch>(function(info, 1), "vmnetwork:process");
	Failure failure;

	return watch->adopt(failure.check(info.Env(), vmn_process_again(static_cast<int>(u32(info, 0)), failure.get())));
}

} // namespace

void export_foreign(Napi::Env env, Napi::Object exports)
{
	exports.Set("tunFiles", Napi::Function::New(env, tun_files));
	exports.Set("tunNetns", Napi::Function::New(env, tun_netns));
	exports.Set("unixSockets", Napi::Function::New(env, unix_sockets));
	exports.Set("openProcess", Napi::Function::New(env, open_process));
	exports.Set("signalProcess", Napi::Function::New(env, signal_process));
	exports.Set("watchProcess", Napi::Function::New(env, watch_process));
	exports.Set("watchProcessEnd", Napi::Function::New(env, watch_process_end));
}

} // namespace vmn
