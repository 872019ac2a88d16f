// SPDX-License-Identifier: Apache-2.0
#include "marshal.h"

extern "C" {
#include "tap.h"
}

namespace vmn {
namespace {

Napi::Value tap_of(Napi::Env env, const vmn_tap &tap)
{
	Napi::Object result = Napi::Object::New(env);

	result.Set("fd", Napi::Number::New(env, tap.fd));
	result.Set("ifindex", Napi::Number::New(env, tap.ifindex));
	return result;
}

/* (name) */
Napi::Value create_tap(const Napi::CallbackInfo &info)
{
	vmn_tap tap;
	Failure failure;

	failure.check(info.Env(), vmn_tap_create(text(info, 0).c_str(), &tap, failure.get()));
	return tap_of(info.Env(), tap);
}

/* (fd, owner | null) */
void persist_tap(const Napi::CallbackInfo &info)
{
	Failure failure;
	int64_t owner = info[1].IsNull() ? -1 : static_cast<int64_t>(u32(info, 1));

	failure.check(info.Env(), vmn_tap_persist(static_cast<int>(u32(info, 0)), owner, failure.get()));
}

/* (name, vnetHeader, offloads) */
Napi::Value open_tap(const Napi::CallbackInfo &info)
{
	vmn_tap tap;
	Failure failure;

	failure.check(info.Env(), vmn_tap_open(text(info, 0).c_str(), boolean(info, 1), u32(info, 2), &tap, failure.get()));
	return tap_of(info.Env(), tap);
}

} // namespace

void export_tap(Napi::Env env, Napi::Object exports)
{
	exports.Set("createTap", Napi::Function::New(env, create_tap));
	exports.Set("persistTap", Napi::Function::New(env, persist_tap));
	exports.Set("openTap", Napi::Function::New(env, open_tap));
}

} // namespace vmn
