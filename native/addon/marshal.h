/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between JavaScript values and C. src/native checks what it hands over; what is checked here again is only what would
 * otherwise be undefined behaviour. JavaScript errors are C++ exceptions (node-addon-api).
 */
#ifndef VMN_ADDON_MARSHAL_H
#define VMN_ADDON_MARSHAL_H

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <string>

extern "C" {
#include "failure.h"
}

namespace vmn {

/* A failure that is thrown when it happened; frees the detail whatever happens. */
class Failure {
public:
	Failure() = default;
	Failure(const Failure &) = delete;
	Failure &operator=(const Failure &) = delete;
	~Failure() { vmn_failure_clear(&failure_); }

	vmn_failure *get() { return &failure_; }
	int error() const { return failure_.error; }

	/* An Error with `code` (EPERM), `errno`, `syscall`, and `detail` (the verifier's log) when there is one. */
	[[noreturn]] void raise(Napi::Env env) const;

	/* For results of our C functions: raises on negative ones. */
	int check(Napi::Env env, int result) const
	{
		if (result < 0)
			raise(env);
		return result;
	}

private:
	vmn_failure failure_{};
};

[[noreturn]] void bad_argument(Napi::Env env, const char *what);

std::string text(const Napi::CallbackInfo &info, size_t at);
bool boolean(const Napi::CallbackInfo &info, size_t at);
uint32_t u32(const Napi::CallbackInfo &info, size_t at);
uint64_t u64(const Napi::CallbackInfo &info, size_t at);
Napi::Function function(const Napi::CallbackInfo &info, size_t at);

/* Bytes that live as long as the call. `size` 0: any length. */
struct Bytes {
	const uint8_t *data;
	size_t size;
};
Bytes bytes(const Napi::CallbackInfo &info, size_t at, size_t size);
/* null and undefined are { nullptr, 0 } */
Bytes bytes_or_null(const Napi::CallbackInfo &info, size_t at, size_t size);

Napi::Value copy_bytes(Napi::Env env, const void *data, size_t size);
Napi::String hex(Napi::Env env, const uint8_t *data, size_t size);

/* 192.0.2.1 to and from network byte order; 02:76:6d:6e:00:01 to and from six bytes. Raise on anything else. */
uint32_t address_be(const Napi::CallbackInfo &info, size_t at);
Napi::String address_text(Napi::Env env, uint32_t address_be);
void mac(const Napi::CallbackInfo &info, size_t at, uint8_t out[6]);
Napi::String mac_text(Napi::Env env, const uint8_t mac[6]);

/* The memory of a host filter: a BigUint64Array, so that it stands on the boundary that the counters in it need; or null. */
void *state_or_null(const Napi::CallbackInfo &info, size_t at);

/* One of these for each file of the addon. */
void export_filter(Napi::Env env, Napi::Object exports);
void export_test_run(Napi::Env env, Napi::Object exports);
void export_foreign(Napi::Env env, Napi::Object exports);
void export_tunnel(Napi::Env env, Napi::Object exports);
void export_verdict(Napi::Env env, Napi::Object exports);
void export_tap(Napi::Env env, Napi::Object exports);
void export_rtnetlink(Napi::Env env, Napi::Object exports);
void export_host(Napi::Env env, Napi::Object exports);
void export_probe(Napi::Env env, Napi::Object exports);
void export_memory(Napi::Env env, Napi::Object exports);
void export_watch(Napi::Env env, Napi::Object exports);

} // namespace vmn

#endif
