// SPDX-License-Identifier: Apache-2.0
#include "marshal.h"

extern "C" {
#include "probe.h"
}

namespace vmn {
namespace {

template <int (*probe)(vmn_failure *)> void try_it(const Napi::CallbackInfo &info)
{
	Failure failure;

	failure.check(info.Env(), probe(failure.get()));
}

} // namespace

void export_probe(Napi::Env env, Napi::Object exports)
{
	exports.Set("probeBpf", Napi::Function::New(env, try_it<vmn_probe_bpf>));
	exports.Set("probeMapInMap", Napi::Function::New(env, try_it<vmn_probe_map_in_map>));
	exports.Set("probeRingBuffer", Napi::Function::New(env, try_it<vmn_probe_ring_buffer>));
	exports.Set("probeKernelMemory", Napi::Function::New(env, try_it<vmn_probe_kernel_memory>));
	exports.Set("probeTcx", Napi::Function::New(env, try_it<vmn_probe_tcx>));
	exports.Set("probeClsact", Napi::Function::New(env, try_it<vmn_probe_clsact>));
}

} // namespace vmn
