// SPDX-License-Identifier: Apache-2.0
#include "marshal.h"

#include <arpa/inet.h>

#include <cmath>
#include <cstring>

namespace vmn {

void Failure::raise(Napi::Env env) const
{
	const char *name = strerrorname_np(failure_.error);
	std::string message = failure_.call;

	message += std::string(": ") + strerrordesc_np(failure_.error);
	if (failure_.message[0])
		message += std::string(" (") + failure_.message + ")";
	Napi::Error error = Napi::Error::New(env, message);
	error.Set("code", name ? name : "EUNKNOWN");
	error.Set("errno", Napi::Number::New(env, failure_.error));
	error.Set("syscall", failure_.call);
	if (failure_.log)
		error.Set("detail", failure_.log);
	throw error;
}

void bad_argument(Napi::Env env, const char *what)
{
	throw Napi::TypeError::New(env, std::string("vmnet.node: expected ") + what);
}

std::string text(const Napi::CallbackInfo &info, size_t at)
{
	if (!info[at].IsString())
		bad_argument(info.Env(), "a string");
	std::string value = info[at].As<Napi::String>().Utf8Value();
	if (value.find('\0') != std::string::npos)
		bad_argument(info.Env(), "a string without NUL");
	return value;
}

bool boolean(const Napi::CallbackInfo &info, size_t at)
{
	if (!info[at].IsBoolean())
		bad_argument(info.Env(), "a boolean");
	return info[at].As<Napi::Boolean>().Value();
}

uint32_t u32(const Napi::CallbackInfo &info, size_t at)
{
	double value = info[at].IsNumber() ? info[at].As<Napi::Number>().DoubleValue() : -1;

	if (!(value >= 0 && value <= UINT32_MAX) || std::trunc(value) != value)
		bad_argument(info.Env(), "an unsigned 32-bit number");
	return static_cast<uint32_t>(value);
}

uint64_t u64(const Napi::CallbackInfo &info, size_t at)
{
	bool lossless = false;
	uint64_t value = info[at].IsBigInt() ? info[at].As<Napi::BigInt>().Uint64Value(&lossless) : 0;

	if (!lossless)
		bad_argument(info.Env(), "an unsigned 64-bit bigint");
	return value;
}

Napi::Function function(const Napi::CallbackInfo &info, size_t at)
{
	if (!info[at].IsFunction())
		bad_argument(info.Env(), "a function");
	return info[at].As<Napi::Function>();
}

Bytes bytes(const Napi::CallbackInfo &info, size_t at, size_t size)
{
	if (!info[at].IsTypedArray() || info[at].As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array)
		bad_argument(info.Env(), "a Uint8Array");
	Napi::Uint8Array array = info[at].As<Napi::Uint8Array>();
	if (size && array.ByteLength() != size)
		bad_argument(info.Env(), "a Uint8Array of another length");
	/* An empty array may have no memory; C wants a place to point to. */
	static const uint8_t nothing = 0;
	return {array.ByteLength() ? array.Data() : &nothing, array.ByteLength()};
}

Bytes bytes_or_null(const Napi::CallbackInfo &info, size_t at, size_t size)
{
	if (info[at].IsNull() || info[at].IsUndefined())
		return {nullptr, 0};
	return bytes(info, at, size);
}

Napi::Value copy_bytes(Napi::Env env, const void *data, size_t size)
{
	Napi::Uint8Array array = Napi::Uint8Array::New(env, size);

	if (size)
		std::memcpy(array.Data(), data, size);
	return array;
}

Napi::String hex(Napi::Env env, const uint8_t *data, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	std::string result;

	for (size_t i = 0; i < size; i++) {
		result += digits[data[i] >> 4];
		result += digits[data[i] & 0xf];
	}
	return Napi::String::New(env, result);
}

uint32_t address_be(const Napi::CallbackInfo &info, size_t at)
{
	in_addr address;

	/* inet_pton takes four decimal numbers and nothing else: no octal, no short forms. */
	if (inet_pton(AF_INET, text(info, at).c_str(), &address) != 1)
		bad_argument(info.Env(), "an IPv4 address");
	return address.s_addr;
}

Napi::String address_text(Napi::Env env, uint32_t address_be)
{
	const in_addr address = {address_be};
	char buffer[INET_ADDRSTRLEN];

	return Napi::String::New(env, inet_ntop(AF_INET, &address, buffer, sizeof(buffer)));
}

void mac(const Napi::CallbackInfo &info, size_t at, uint8_t out[6])
{
	std::string value = text(info, at);
	int end = 0;

	if (sscanf(value.c_str(), "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &out[0], &out[1], &out[2], &out[3], &out[4],
	           &out[5], &end) != 6 ||
	    value.size() != 17 || end != 17)
		bad_argument(info.Env(), "a MAC address");
}

Napi::String mac_text(Napi::Env env, const uint8_t mac[6])
{
	char buffer[18];

	snprintf(buffer, sizeof(buffer), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	return Napi::String::New(env, buffer);
}

} // namespace vmn
