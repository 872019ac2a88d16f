// SPDX-License-Identifier: Apache-2.0
#include "marshal.h"

extern "C" {
#include "host.h"
}

namespace vmn {
namespace {

/* (path) */
void set_netns(const Napi::CallbackInfo &info)
{
	Failure failure;

	failure.check(info.Env(), vmn_netns_enter(text(info, 0).c_str(), failure.get()));
}

/* (path, wait): a file descriptor */
Napi::Value lock_file(const Napi::CallbackInfo &info)
{
	Failure failure;

	return Napi::Number::New(
		info.Env(), failure.check(info.Env(), vmn_lock(text(info, 0).c_str(), boolean(info, 1), failure.get())));
}

/* (path) */
void mount_bpffs(const Napi::CallbackInfo &info)
{
	Failure failure;

	failure.check(info.Env(), vmn_bpffs_mount(text(info, 0).c_str(), failure.get()));
}

} // namespace

void export_host(Napi::Env env, Napi::Object exports)
{
	exports.Set("setNetns", Napi::Function::New(env, set_netns));
	exports.Set("lockFile", Napi::Function::New(env, lock_file));
	exports.Set("mountBpffs", Napi::Function::New(env, mount_bpffs));
}

} // namespace vmn
