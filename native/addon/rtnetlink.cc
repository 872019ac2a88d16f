// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>
#include <memory>

#include "marshal.h"

extern "C" {
#include "link.h"
#include "neighbour.h"
#include "netns.h"
#include "route.h"
}

namespace vmn {
namespace {

/* A list that C allocated. */
template <typename Element> struct List {
	Element *elements = nullptr;
	size_t count = 0;

	List() = default;
	List(const List &) = delete;
	List &operator=(const List &) = delete;
	~List() { std::free(elements); }

	template <typename Convert> Napi::Array map(Napi::Env env, Convert convert) const
	{
		Napi::Array result = Napi::Array::New(env, count);

		for (size_t i = 0; i < count; i++)
			result.Set(static_cast<uint32_t>(i), convert(env, elements[i]));
		return result;
	}
};

Napi::Object link_of(Napi::Env env, const vmn_link &link)
{
	Napi::Object result = Napi::Object::New(env);

	result.Set("ifindex", Napi::Number::New(env, link.ifindex));
	result.Set("name", link.name);
	result.Set("mac", link.has_mac ? mac_text(env, link.mac) : Napi::String::New(env, ""));
	result.Set("alias", link.alias);
	result.Set("up", Napi::Boolean::New(env, link.up));
	result.Set("carrier", Napi::Boolean::New(env, link.carrier));
	result.Set("mtu", Napi::Number::New(env, link.mtu));
	result.Set("master", Napi::Number::New(env, link.master));
	result.Set("kind", link.kind);
	return result;
}

Napi::Value links(const Napi::CallbackInfo &info)
{
	List<vmn_link> list;
	Failure failure;

	failure.check(info.Env(), vmn_links(&list.elements, &list.count, failure.get()));
	return list.map(info.Env(), link_of);
}

int read_links(void *context, vmn_failure *failure)
{
	List<vmn_link> *list = static_cast<List<vmn_link> *>(context);

	return vmn_links(&list->elements, &list->count, failure);
}

/* (netns descriptor) */
Napi::Value links_in(const Napi::CallbackInfo &info)
{
	List<vmn_link> list;
	Failure failure;

	failure.check(info.Env(), vmn_netns_do(static_cast<int>(u32(info, 0)), read_links, &list, failure.get()));
	return list.map(info.Env(), link_of);
}

/* (name) */
Napi::Value link_by_name(const Napi::CallbackInfo &info)
{
	vmn_link link;
	Failure failure;

	failure.check(info.Env(), vmn_link_by_name(text(info, 0).c_str(), &link, failure.get()));
	return link_of(info.Env(), link);
}

/* (ifindex, mac | null, alias | null, mtu (0: keep), up | null, leave its master) */
void set_link(const Napi::CallbackInfo &info)
{
	vmn_link_change change = {nullptr, nullptr, u32(info, 3), -1, boolean(info, 5)};
	uint8_t address[6];
	std::string alias;
	Failure failure;

	if (!info[1].IsNull()) {
		mac(info, 1, address);
		change.mac = address;
	}
	if (!info[2].IsNull()) {
		alias = text(info, 2);
		change.alias = alias.c_str();
	}
	if (!info[4].IsNull())
		change.up = boolean(info, 4);
	failure.check(info.Env(), vmn_link_set(u32(info, 0), &change, failure.get()));
}

/* (ifindex) */
void delete_link(const Napi::CallbackInfo &info)
{
	Failure failure;

	failure.check(info.Env(), vmn_link_delete(u32(info, 0), failure.get()));
}

Napi::Object route_of(Napi::Env env, const vmn_route &route)
{
	Napi::Object result = Napi::Object::New(env);

	result.Set("destination", address_text(env, route.destination_be));
	result.Set("prefixLength", Napi::Number::New(env, route.prefix_length));
	result.Set("ifindex", Napi::Number::New(env, route.ifindex));
	result.Set("protocol", Napi::Number::New(env, route.protocol));
	return result;
}

/* (protocol, 0: any) */
Napi::Value routes(const Napi::CallbackInfo &info)
{
	List<vmn_route> list;
	Failure failure;

	failure.check(info.Env(),
	              vmn_routes(static_cast<uint8_t>(u32(info, 0)), &list.elements, &list.count, failure.get()));
	return list.map(info.Env(), route_of);
}

/* (destination, prefixLength, ifindex, protocol, scope) */
vmn_route route_from(const Napi::CallbackInfo &info)
{
	return {
		address_be(info, 0),
		u32(info, 2),
		static_cast<uint8_t>(u32(info, 1)),
		static_cast<uint8_t>(u32(info, 3)),
		static_cast<uint8_t>(u32(info, 4)),
	};
}

void add_route(const Napi::CallbackInfo &info)
{
	vmn_route route = route_from(info);
	Failure failure;

	failure.check(info.Env(), vmn_route_add(&route, failure.get()));
}

void delete_route(const Napi::CallbackInfo &info)
{
	vmn_route route = route_from(info);
	Failure failure;

	failure.check(info.Env(), vmn_route_delete(&route, failure.get()));
}

/* (address) */
Napi::Value route_to(const Napi::CallbackInfo &info)
{
	Napi::Env env = info.Env();
	vmn_way way;
	Failure failure;

	failure.check(env, vmn_route_to(address_be(info, 0), &way, failure.get()));
	Napi::Object result = Napi::Object::New(env);
	result.Set("ifindex", Napi::Number::New(env, way.ifindex));
	result.Set("name", way.name);
	result.Set("local", Napi::Boolean::New(env, way.local));
	if (way.gateway_be)
		result.Set("gateway", address_text(env, way.gateway_be));
	if (way.source_be)
		result.Set("source", address_text(env, way.source_be));
	return result;
}

Napi::Object neighbour_of(Napi::Env env, const vmn_neighbour &neighbour)
{
	Napi::Object result = Napi::Object::New(env);

	result.Set("address", address_text(env, neighbour.address_be));
	result.Set("mac", neighbour.has_mac ? mac_text(env, neighbour.mac) : Napi::String::New(env, ""));
	result.Set("permanent", Napi::Boolean::New(env, neighbour.permanent));
	return result;
}

/* (ifindex) */
Napi::Value neighbours(const Napi::CallbackInfo &info)
{
	List<vmn_neighbour> list;
	Failure failure;

	failure.check(info.Env(), vmn_neighbours(u32(info, 0), &list.elements, &list.count, failure.get()));
	return list.map(info.Env(), neighbour_of);
}

/* (ifindex, address, mac) */
void set_neighbour(const Napi::CallbackInfo &info)
{
	vmn_neighbour neighbour = {u32(info, 0), address_be(info, 1), {}, true, true};
	Failure failure;

	mac(info, 2, neighbour.mac);
	failure.check(info.Env(), vmn_neighbour_set(&neighbour, failure.get()));
}

/* (ifindex, address) */
void delete_neighbour(const Napi::CallbackInfo &info)
{
	vmn_neighbour neighbour = {u32(info, 0), address_be(info, 1), {}, false, false};
	Failure failure;

	failure.check(info.Env(), vmn_neighbour_delete(&neighbour, failure.get()));
}

} // namespace

void export_rtnetlink(Napi::Env env, Napi::Object exports)
{
	exports.Set("links", Napi::Function::New(env, links));
	exports.Set("linksIn", Napi::Function::New(env, links_in));
	exports.Set("linkByName", Napi::Function::New(env, link_by_name));
	exports.Set("setLink", Napi::Function::New(env, set_link));
	exports.Set("deleteLink", Napi::Function::New(env, delete_link));
	exports.Set("routes", Napi::Function::New(env, routes));
	exports.Set("addRoute", Napi::Function::New(env, add_route));
	exports.Set("deleteRoute", Napi::Function::New(env, delete_route));
	exports.Set("routeTo", Napi::Function::New(env, route_to));
	exports.Set("neighbours", Napi::Function::New(env, neighbours));
	exports.Set("setNeighbour", Napi::Function::New(env, set_neighbour));
	exports.Set("deleteNeighbour", Napi::Function::New(env, delete_neighbour));
}

} // namespace vmn
