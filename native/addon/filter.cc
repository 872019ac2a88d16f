// SPDX-License-Identifier: Apache-2.0
#include "marshal.h"

extern "C" {
#include "counters.h"
#include "filter.h"
#include "filter_object.h"
#include "guarded.h"
#include "program.h"
#include "read_back.h"
}

namespace vmn {
namespace {

vmn_hook_kind hook_kind(const Napi::CallbackInfo &info, size_t at)
{
	uint32_t kind = u32(info, at);

	if (kind > VMN_HOOK_CLSACT)
		bad_argument(info.Env(), "a kind of hook");
	return static_cast<vmn_hook_kind>(kind);
}

/* (pinDir, ifindex, hookKind) */
void attach_filter(const Napi::CallbackInfo &info)
{
	Failure failure;

	failure.check(info.Env(),
	              vmn_filter_attach_by(hook_kind(info, 2), text(info, 0).c_str(), u32(info, 1), failure.get()));
}

/* (pinDir, ifindex, hookKind, policy | null) */
void replace_filter(const Napi::CallbackInfo &info)
{
	Failure failure;
	Bytes policy = bytes_or_null(info, 3, VMN_POLICY_BYTES);

	failure.check(info.Env(), vmn_filter_replace_by(hook_kind(info, 2), text(info, 0).c_str(), u32(info, 1),
	                                                policy.data, failure.get()));
}

/* (pinDir, policy | null) */
void write_policy(const Napi::CallbackInfo &info)
{
	Failure failure;
	Bytes policy = bytes_or_null(info, 1, VMN_POLICY_BYTES);

	failure.check(info.Env(), vmn_filter_write_policy(text(info, 0).c_str(), policy.data, failure.get()));
}

/* (pinDir, attachedToo) */
void remove_filter(const Napi::CallbackInfo &info)
{
	Failure failure;

	failure.check(info.Env(), vmn_filter_remove(text(info, 0).c_str(), boolean(info, 1), failure.get()));
}

/* Whoever else is at the hook; program 0: something that is no program. */
Napi::Array others_of(Napi::Env env, const vmn_others &others)
{
	Napi::Array result = Napi::Array::New(env, others.count);

	for (uint32_t i = 0; i < others.count; i++) {
		char name[VMN_PROGRAM_NAME_BYTES];
		Napi::Object other = Napi::Object::New(env);

		vmn_program_name(others.programs[i], name);
		other.Set("programId", Napi::Number::New(env, others.programs[i]));
		other.Set("name", name);
		result.Set(i, other);
	}
	return result;
}

Napi::Value hook_of(Napi::Env env, const vmn_enforced &enforced)
{
	const vmn_hook &hook = enforced.hook;

	if (hook.state == VMN_HOOK_ABSENT)
		return env.Null();
	Napi::Object result = Napi::Object::New(env);
	result.Set("linkId", Napi::Number::New(env, hook.link_id));
	result.Set("programId", Napi::Number::New(env, hook.program_id));
	result.Set("programTag", hex(env, enforced.tag, sizeof(enforced.tag)));
	result.Set("ifindex", Napi::Number::New(env, hook.ifindex));
	result.Set("kind", hook.kind == VMN_HOOK_CLSACT ? "clsact" : "tcx");
	result.Set("ingress", Napi::Boolean::New(env, hook.ingress));
	result.Set("first", Napi::Boolean::New(env, hook.first));
	result.Set("others", others_of(env, hook.others));
	return result;
}

/* (pinDir) */
Napi::Value read_back(const Napi::CallbackInfo &info)
{
	static const char *const states[] = {"empty", "set", "unknown"};
	Napi::Env env = info.Env();
	struct vmn_read_back state;
	Failure failure;

	failure.check(env, ::vmn_read_back(text(info, 0).c_str(), &state, failure.get()));
	Napi::Object result = Napi::Object::New(env);
	result.Set("fromVm", hook_of(env, state.from_vm));
	result.Set("toVm", hook_of(env, state.to_vm));
	result.Set("policyState", states[state.policy_state]);
	result.Set("policy",
	           state.policy_state == VMN_POLICY_SET ? copy_bytes(env, state.policy, sizeof(state.policy)) : env.Null());
	return result;
}

/* (pinDir): [slot, packets, bytes] of the slots that are not zero */
Napi::Value counters(const Napi::CallbackInfo &info)
{
	Napi::Env env = info.Env();
	vmn_counter sums[VMN_COUNTER_SLOTS];
	Failure failure;

	failure.check(env, vmn_counters_read(text(info, 0).c_str(), sums, failure.get()));
	Napi::Array result = Napi::Array::New(env);
	for (uint32_t slot = 0; slot < VMN_COUNTER_SLOTS; slot++) {
		if (!sums[slot].packets)
			continue;
		Napi::Array line = Napi::Array::New(env, 3);
		line.Set(0u, Napi::Number::New(env, slot));
		line.Set(1u, Napi::BigInt::New(env, static_cast<uint64_t>(sums[slot].packets)));
		line.Set(2u, Napi::BigInt::New(env, static_cast<uint64_t>(sums[slot].bytes)));
		result.Set(result.Length(), line);
	}
	return result;
}

Napi::Value program_tags(const Napi::CallbackInfo &info)
{
	Napi::Env env = info.Env();
	uint8_t from_vm[VMN_TAG_BYTES];
	uint8_t to_vm[VMN_TAG_BYTES];
	Failure failure;

	failure.check(env, vmn_filter_tags(from_vm, to_vm, failure.get()));
	Napi::Object result = Napi::Object::New(env);
	result.Set("fromVm", hex(env, from_vm, sizeof(from_vm)));
	result.Set("toVm", hex(env, to_vm, sizeof(to_vm)));
	return result;
}

/* (pinDir) */
Napi::Value crossings(const Napi::CallbackInfo &info)
{
	vmn_state state;
	Failure failure;

	failure.check(info.Env(), vmn_state_read(text(info, 0).c_str(), &state, failure.get()));
	return Napi::BigInt::New(info.Env(), static_cast<uint64_t>(state.violations.crossings));
}

} // namespace

void export_filter(Napi::Env env, Napi::Object exports)
{
	exports.Set("attachFilter", Napi::Function::New(env, attach_filter));
	exports.Set("replaceFilter", Napi::Function::New(env, replace_filter));
	exports.Set("writePolicy", Napi::Function::New(env, write_policy));
	exports.Set("removeFilter", Napi::Function::New(env, remove_filter));
	exports.Set("readBack", Napi::Function::New(env, read_back));
	exports.Set("counters", Napi::Function::New(env, counters));
	exports.Set("programTags", Napi::Function::New(env, program_tags));
	exports.Set("crossings", Napi::Function::New(env, crossings));
}

} // namespace vmn
