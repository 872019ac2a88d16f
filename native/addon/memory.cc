// SPDX-License-Identifier: Apache-2.0
#include "marshal.h"

#include <cstdlib>
#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace vmn {
namespace {

/* (): what was freed goes back to the kernel; by itself glibc keeps it as long as something behind it is in use. */
void return_freed_memory(const Napi::CallbackInfo &)
{
#ifdef __GLIBC__
	malloc_trim(0);
#endif
}

} // namespace

void export_memory(Napi::Env env, Napi::Object exports)
{
	exports.Set("returnFreedMemory", Napi::Function::New(env, return_freed_memory));
}

} // namespace vmn
