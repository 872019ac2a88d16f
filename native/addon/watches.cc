// SPDX-License-Identifier: Apache-2.0
/* What there is to watch: the ring buffer of events, and what netlink tells of this network namespace. */
#include <vector>

#include "watch.h"

extern "C" {
#include "events.h"
#include "netlink_watch.h"
#include "netns.h"
#include "nftables.h"
}

namespace vmn {
namespace {

/* Events handed over a turn of the loop, so that a flood of drops cannot starve everything else. */
constexpr unsigned int events_a_turn = 256;

class EventsWatch : public Watch {
public:
	using Watch::Watch;

	Napi::Value start(Napi::Env env, const std::string &path)
	{
		Failure failure;

		events_ = vmn_events_reader(path.c_str(), keep, this, failure.get());
		if (!events_)
			failure.raise(env);
		try {
			return open(vmn_events_fd(events_));
		} catch (...) {
			release();
			throw;
		}
	}

protected:
	void readable(Napi::Env env) override
	{
		Failure failure;
		std::vector<std::vector<uint8_t>> batch;

		waiting_.clear();
		int result = vmn_events_consume(events_, events_a_turn, failure.get());
		batch.swap(waiting_);
		for (const auto &event : batch) {
			if (closed())
				return;
			Napi::HandleScope scope(env);
			call(env, {copy_bytes(env, event.data(), event.size())});
		}
		failure.check(env, result);
	}

	void release() override
	{
		vmn_events_close(events_);
		events_ = nullptr;
	}

private:
	static void keep(void *context, const void *data, size_t size)
	{
		const uint8_t *first = static_cast<const uint8_t *>(data);

		static_cast<EventsWatch *>(context)->waiting_.emplace_back(first, first + size);
	}

	vmn_events *events_ = nullptr;
	std::vector<std::vector<uint8_t>> waiting_;
};

class NetlinkWatch : public DescriptorWatch {
public:
	using DescriptorWatch::DescriptorWatch;

	Napi::Value start(Napi::Env env, int (*subscribe)(vmn_failure *))
	{
		Failure failure;

		return adopt(failure.check(env, subscribe(failure.get())));
	}

protected:
	void readable(Napi::Env env) override
	{
		Failure failure;

		if (failure.check(env, vmn_netlink_watch_drain(descriptor(), failure.get())))
			call(env, {});
	}
};

/* (path, (bytes: Uint8Array) => void) */
Napi::Value open_events(const Napi::CallbackInfo &info)
{
	std::string path = text(info, 0);

	return std::make_shared<EventsWatch>(function(info, 1), "vmnetwork:events")->start(info.Env(), path);
}

/* (() => void) */
Napi::Value watch_links(const Napi::CallbackInfo &info)
{
	return std::make_shared<NetlinkWatch>(function(info, 0), "vmnetwork:links")->start(info.Env(), vmn_link_watch_open);
}

int subscribe_to_links(void *context, vmn_failure *failure)
{
	int fd = vmn_bare_link_watch_open(failure);

	*static_cast<int *>(context) = fd;
	return fd < 0 ? -1 : 0;
}

/* (netns descriptor | null: this one, () => void) */
Napi::Value watch_links_in(const Napi::CallbackInfo &info)
{
	auto watch = std::make_shared<NetlinkWatch>(function(info, 1), "vmnetwork:links");
	Failure failure;
	int fd = -1;

	if (info[0].IsNull())
		return watch->start(info.Env(), vmn_bare_link_watch_open);
	failure.check(info.Env(), vmn_netns_do(static_cast<int>(u32(info, 0)), subscribe_to_links, &fd, failure.get()));
	return watch->adopt(fd);
}

/* (() => void) */
Napi::Value watch_nftables(const Napi::CallbackInfo &info)
{
	auto watch = std::make_shared<NetlinkWatch>(function(info, 0), "vmnetwork:nftables");

	return watch->start(info.Env(), vmn_nftables_watch_open);
}

/* (): of this network namespace */
Napi::Value nftables_generation(const Napi::CallbackInfo &info)
{
	Failure failure;
	uint32_t generation = 0;

	failure.check(info.Env(), vmn_nftables_generation(&generation, failure.get()));
	return Napi::Number::New(info.Env(), generation);
}

} // namespace

void export_watch(Napi::Env env, Napi::Object exports)
{
	exports.Set("openEvents", Napi::Function::New(env, open_events));
	exports.Set("watchLinks", Napi::Function::New(env, watch_links));
	exports.Set("watchLinksIn", Napi::Function::New(env, watch_links_in));
	exports.Set("watchNftables", Napi::Function::New(env, watch_nftables));
	exports.Set("nftablesGeneration", Napi::Function::New(env, nftables_generation));
}

} // namespace vmn
