// SPDX-License-Identifier: Apache-2.0
/* Frames run on a filter by BPF_PROG_TEST_RUN: the pinned one of a VM, or one that is loaded for it and nothing else. */
#include <memory>
#include <vector>

#include "marshal.h"

extern "C" {
#include "offline_filter.h"
#include "policy.h"
}

namespace vmn {
namespace {

/* (…, fromVm, frame, mark, gsoSize, vlan) from argument `first` on. */
class Run {
public:
	Run(const Napi::CallbackInfo &info, size_t first) : frame_(bytes(info, first + 1, 0)), after_(room(frame_.size))
	{
		run_.from_vm = boolean(info, first);
		run_.frame = frame_.data;
		run_.frame_bytes = frame_.size;
		run_.mark = u32(info, first + 2);
		run_.gso_size = u32(info, first + 3);
		run_.vlan = boolean(info, first + 4);
		run_.frame_after = after_.data();
		run_.frame_after_bytes = after_.size();
	}

	struct vmn_test_run *get() { return &run_; }

	Napi::Value answer(Napi::Env env) const
	{
		Napi::Object result = Napi::Object::New(env);

		result.Set("action", Napi::Number::New(env, static_cast<int32_t>(run_.action)));
		result.Set("reason", Napi::Number::New(env, run_.reason));
		result.Set("nonce", Napi::BigInt::New(env, static_cast<uint64_t>(run_.nonce)));
		result.Set("audited", Napi::Boolean::New(env, run_.audited));
		result.Set("mark", Napi::Number::New(env, run_.mark_after));
		result.Set("frame", copy_bytes(env, after_.data(), run_.frame_after_bytes));
		return result;
	}

private:
	/* The program may only make the frame shorter or as long; the kernel refuses when it does not fit. */
	static size_t room(size_t frame_bytes) { return frame_bytes + 256; }

	Bytes frame_;
	std::vector<uint8_t> after_;
	struct vmn_test_run run_ {};
};

/* (pinDir, fromVm, frame, mark, gsoSize, vlan) */
Napi::Value test_run(const Napi::CallbackInfo &info)
{
	Run run(info, 1);
	Failure failure;

	failure.check(info.Env(), ::vmn_test_run(text(info, 0).c_str(), run.get(), failure.get()));
	return run.answer(info.Env());
}

class OfflineFilter {
public:
	~OfflineFilter() { close(); }

	void open(Napi::Env env)
	{
		Failure failure;

		failure.check(env, vmn_offline_filter_open(&filter_, failure.get()));
		open_ = true;
	}

	/* (policy | null) */
	void set_policy(const Napi::CallbackInfo &info)
	{
		Bytes policy = bytes_or_null(info, 0, VMN_POLICY_BYTES);
		Failure failure;

		must_be_open(info.Env());
		failure.check(info.Env(), vmn_offline_filter_set_policy(&filter_, policy.data, failure.get()));
	}

	/* (fromVm, frame, mark, gsoSize, vlan) */
	Napi::Value run(const Napi::CallbackInfo &info)
	{
		Run run(info, 0);
		Failure failure;

		must_be_open(info.Env());
		failure.check(info.Env(), vmn_offline_filter_run(&filter_, run.get(), failure.get()));
		return run.answer(info.Env());
	}

	void close()
	{
		if (open_)
			vmn_offline_filter_close(&filter_);
		open_ = false;
	}

private:
	void must_be_open(Napi::Env env) const
	{
		if (!open_)
			throw Napi::Error::New(env, "vmnet.node: this filter was closed");
	}

	vmn_offline_filter filter_{};
	bool open_ = false;
};

/* (): { setPolicy(policy | null), run(fromVm, frame, mark, gsoSize, vlan), close() } */
Napi::Value open_offline_filter(const Napi::CallbackInfo &info)
{
	Napi::Env env = info.Env();
	auto filter = std::make_shared<OfflineFilter>();

	filter->open(env);
	Napi::Object result = Napi::Object::New(env);
	result.Set("setPolicy",
	           Napi::Function::New(env, [filter](const Napi::CallbackInfo &call) { filter->set_policy(call); }));
	result.Set("run", Napi::Function::New(env, [filter](const Napi::CallbackInfo &call) { return filter->run(call); }));
	result.Set("close", Napi::Function::New(env, [filter](const Napi::CallbackInfo &) { filter->close(); }));
	return result;
}

} // namespace

void export_test_run(Napi::Env env, Napi::Object exports)
{
	exports.Set("testRun", Napi::Function::New(env, test_run));
	exports.Set("openOfflineFilter", Napi::Function::New(env, open_offline_filter));
}

} // namespace vmn
