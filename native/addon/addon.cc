// SPDX-License-Identifier: Apache-2.0
#include "marshal.h"

static Napi::Object init(Napi::Env env, Napi::Object exports)
{
	vmn::export_filter(env, exports);
	vmn::export_test_run(env, exports);
	vmn::export_tunnel(env, exports);
	vmn::export_verdict(env, exports);
	vmn::export_tap(env, exports);
	vmn::export_rtnetlink(env, exports);
	vmn::export_host(env, exports);
	vmn::export_foreign(env, exports);
	vmn::export_probe(env, exports);
	vmn::export_memory(env, exports);
	vmn::export_watch(env, exports);
	return exports;
}

NODE_API_MODULE(vmnet, init)
