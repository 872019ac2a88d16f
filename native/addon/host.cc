// SPDX-License-Identifier: Apache-2.0
#include "marshal.h"

extern "C" {
#include "host.h"
#include "netns.h"
}

namespace vmn {
namespace {

/* (path) */
void set_netns(const Napi::CallbackInfo &info)
{
	Failure failure;

	failure.check(info.Env(), vmn_netns_enter(text(info, 0).c_str(), failure.get()));
}

/* Away from home for as long as it lives. */
class Visit {
public:
	Visit(Napi::Env env, int netns)
	{
		Failure failure;

		home_ = failure.check(env, vmn_netns_visit(netns, failure.get()));
	}
	Visit(const Visit &) = delete;
	Visit &operator=(const Visit &) = delete;
	/* Nothing may run in the wrong namespace, and nothing could be mended there: the process ends. */
	~Visit()
	{
		Failure failure;

		if (vmn_netns_go_home(home_, failure.get()))
			Napi::Error::Fatal("vmnet.node", "there is no way back to our own network namespace");
	}

private:
	int home_;
};

/* (netns descriptor, () => T): T */
Napi::Value in_netns(const Napi::CallbackInfo &info)
{
	Napi::Function work = function(info, 1);
	Visit visit(info.Env(), static_cast<int>(u32(info, 0)));

	return work.Call({});
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
	exports.Set("inNetns", Napi::Function::New(env, in_netns));
	exports.Set("lockFile", Napi::Function::New(env, lock_file));
	exports.Set("mountBpffs", Napi::Function::New(env, mount_bpffs));
}

} // namespace vmn
