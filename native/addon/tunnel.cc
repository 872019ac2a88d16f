// SPDX-License-Identifier: Apache-2.0
#include <cerrno>

#include "marshal.h"
#include "verdict.h"

extern "C" {
#include "guarded.h"
}

namespace vmn {
namespace {

Napi::Value time_of(Napi::Env env, uint64_t ns)
{
	return Napi::BigInt::New(env, ns);
}

Napi::Object asked_of(Napi::Env env, const vmn_asked &asked)
{
	Napi::Object result = Napi::Object::New(env);

	result.Set("firstNs", time_of(env, asked.first_ns));
	result.Set("lastNs", time_of(env, asked.last_ns));
	result.Set("sender", Napi::Number::New(env, asked.sender));
	return result;
}

Napi::Object session_of(Napi::Env env, const vmn_session &session)
{
	Napi::Object result = Napi::Object::New(env);

	result.Set("timeNs", time_of(env, session.time_ns));
	result.Set("vmIndex", Napi::Number::New(env, session.vm_index));
	result.Set("consumerIndex", Napi::Number::New(env, session.consumer_index));
	return result;
}

Napi::Object tunnel_of(Napi::Env env, const vmn_tunnel &tunnel)
{
	Napi::Object result = Napi::Object::New(env);

	result.Set("address", address_text(env, tunnel.endpoint.address_be));
	result.Set("port", Napi::Number::New(env, __builtin_bswap16(tunnel.endpoint.port_be)));
	result.Set("askedByVm", asked_of(env, tunnel.asked[VMN_DIRECTION_FROM_VM]));
	result.Set("askedByConsumer", asked_of(env, tunnel.asked[VMN_DIRECTION_TO_VM]));
	result.Set("offered", session_of(env, tunnel.offered));
	result.Set("session", session_of(env, tunnel.session));
	result.Set("handshakes", time_of(env, tunnel.handshakes));
	result.Set("dataFromVmNs", time_of(env, tunnel.data_ns[VMN_DIRECTION_FROM_VM]));
	result.Set("dataToVmNs", time_of(env, tunnel.data_ns[VMN_DIRECTION_TO_VM]));
	result.Set("used", tunnel.has_used ? Napi::Number::New(env, tunnel.used) : env.Null());
	return result;
}

/* (pinDir): null where the filter does not look */
Napi::Value tunnel(const Napi::CallbackInfo &info)
{
	vmn_tunnel seen;
	Failure failure;

	if (vmn_tunnel_read(text(info, 0).c_str(), &seen, failure.get())) {
		if (failure.error() == ENOENT)
			return info.Env().Null();
		failure.raise(info.Env());
	}
	return tunnel_of(info.Env(), seen);
}

/* (filter state) */
Napi::Value tunnel_in(const Napi::CallbackInfo &info)
{
	const void *state = state_or_null(info, 0);

	if (!state)
		bad_argument(info.Env(), "a filter state");
	return tunnel_of(info.Env(), *static_cast<const vmn_tunnel *>(vmn_addon_tunnel(state)));
}

} // namespace

void export_tunnel(Napi::Env env, Napi::Object exports)
{
	exports.Set("tunnel", Napi::Function::New(env, tunnel));
	exports.Set("tunnelIn", Napi::Function::New(env, tunnel_in));
}

} // namespace vmn
