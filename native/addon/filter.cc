// SPDX-License-Identifier: Apache-2.0
#include <vector>

#include "marshal.h"

extern "C" {
#include "counters.h"
#include "filter.h"
#include "filter_object.h"
#include "read_back.h"
#include "test_run.h"
}

namespace vmn {
namespace {

/* (pinDir, ifindex) */
void attach_filter(const Napi::CallbackInfo &info)
{
	Failure failure;

	failure.check(info.Env(), vmn_filter_attach(text(info, 0).c_str(), u32(info, 1), failure.get()));
}

/* (pinDir, ifindex, policy | null) */
void replace_filter(const Napi::CallbackInfo &info)
{
	Failure failure;
	Bytes policy = bytes_or_null(info, 2, VMN_POLICY_BYTES);

	failure.check(info.Env(), vmn_filter_replace(text(info, 0).c_str(), u32(info, 1), policy.data, failure.get()));
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

Napi::Value hook_of(Napi::Env env, const vmn_hook &hook)
{
	if (!hook.present)
		return env.Null();
	Napi::Object result = Napi::Object::New(env);
	result.Set("linkId", Napi::Number::New(env, hook.link.id));
	result.Set("programId", Napi::Number::New(env, hook.link.program_id));
	result.Set("programTag", hex(env, hook.tag, sizeof(hook.tag)));
	result.Set("ifindex", Napi::Number::New(env, hook.link.ifindex));
	result.Set("attachType", Napi::Number::New(env, hook.link.attach_type));
	result.Set("first", Napi::Boolean::New(env, hook.first));
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

/* (pinDir, fromVm, frame, mark, gsoSize) */
Napi::Value test_run(const Napi::CallbackInfo &info)
{
	/* The program may only make the frame shorter or as long; the kernel refuses when it does not fit. */
	constexpr size_t room = 256;
	Napi::Env env = info.Env();
	Bytes frame = bytes(info, 2, 0);
	std::vector<uint8_t> after(frame.size + room);
	struct vmn_test_run run {};
	Failure failure;

	run.from_vm = boolean(info, 1);
	run.frame = frame.data;
	run.frame_bytes = frame.size;
	run.mark = u32(info, 3);
	run.gso_size = u32(info, 4);
	run.frame_after = after.data();
	run.frame_after_bytes = after.size();
	failure.check(env, ::vmn_test_run(text(info, 0).c_str(), &run, failure.get()));
	Napi::Object result = Napi::Object::New(env);
	result.Set("action", Napi::Number::New(env, static_cast<int32_t>(run.action)));
	result.Set("reason", Napi::Number::New(env, run.reason));
	result.Set("mark", Napi::Number::New(env, run.mark_after));
	result.Set("frame", copy_bytes(env, after.data(), run.frame_after_bytes));
	return result;
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
	exports.Set("testRun", Napi::Function::New(env, test_run));
}

} // namespace vmn
