"""Asks cloud-init's own code about documents; it runs nothing of them and writes only into the folder that it is given."""

import base64
import copy
import json
import logging
import os
import sys

from cloudinit import helpers, safeyaml, stages, util
from cloudinit.settings import PER_INSTANCE

WARNINGS = []


class Warnings(logging.Handler):
    def emit(self, record):
        WARNINGS.append(record.getMessage())


def source(folder):
    """The NoCloud source on FOLDER/seed/nocloud, as the local stage has it."""
    init = stages.Init(ds_deps=["FILESYSTEM"])
    # As Debian's /etc/cloud/cloud.cfg has them.
    init._cfg = {
        "datasource_list": ["NoCloud"],
        "datasource": {"NoCloud": {"fs_label": None}},
        "vendor_data": {"enabled": True},
        "system_info": {
            "distro": "debian",
            "paths": {"cloud_dir": folder, "run_dir": os.path.join(folder, "run"), "templates_dir": folder},
        },
        "users": ["default"],
    }
    base = init._cfg
    init._read_cfg = lambda extra: helpers.ConfigMerger(
        paths=helpers.Paths(base["system_info"]["paths"], init.datasource), base_cfg=base
    ).cfg
    init.initialize()
    init.fetch(existing="trust")
    return init


def consume(folder):
    WARNINGS.clear()
    init = source(folder)
    init.instancify()
    init.update()
    init.consume_data(PER_INSTANCE)
    raw = init.datasource.get_userdata_raw()
    scripts = os.path.join(folder, "instance", "scripts")
    return {
        "instanceId": init.datasource.get_instance_id(),
        "dsmode": init.datasource.dsmode,
        "metaData": init.datasource.metadata,
        "config": init.cfg,
        "bootScript": util.shellify(init.cfg.get("bootcmd", [])),
        "userDataBase64": base64.b64encode(raw if isinstance(raw, bytes) else raw.encode()).decode(),
        "scripts": {name: util.load_file(os.path.join(scripts, name)) for name in sorted(os.listdir(scripts))},
        "warnings": list(WARNINGS),
    }


def render(folder, mac, *renderers):
    from cloudinit.net import eni, netplan, network_manager, network_state, networkd

    network_state.get_interfaces_by_mac = lambda: {mac: "ens3"}
    util.chownbyname = lambda *names: None
    config = source(folder).datasource.network_config
    makers = {
        "eni": lambda: eni.Renderer({"eni_path": "etc/network/interfaces", "netrules_path": None}),
        "netplan": lambda: netplan.Renderer({"netplan_path": "etc/netplan/50-cloud-init.yaml", "postcmds": False}),
        "networkd": lambda: networkd.Renderer({"network_conf_dir": "/etc/systemd/network/"}),
        "network-manager": lambda: network_manager.Renderer({}),
    }
    # Each from a copy of its own: renderers change what they are given.
    parsed = lambda: network_state.parse_net_config_data(copy.deepcopy(config))
    return [rendered(makers[name](), parsed(), os.path.join(folder, name)) for name in renderers]


def rendered(renderer, state, target):
    os.makedirs(target)
    renderer.render_network_state(state, target=target)
    paths = [os.path.join(where, name) for where, _, names in os.walk(target) for name in names]
    return {os.path.relpath(path, target): util.load_file(path) for path in paths}


if __name__ == "__main__":
    handler = Warnings(level=logging.WARNING)
    logging.getLogger().addHandler(handler)
    what, *words = sys.argv[1:]
    if what == "yaml":
        answer = [safeyaml.load(text) for text in json.load(sys.stdin)]
    elif what == "consume":
        answer = [consume(folder) for folder in words]
    else:
        answer = render(*words)
    json.dump(answer, sys.stdout, default=str)
