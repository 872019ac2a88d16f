# Plugs a card into a running QEMU as libvirt does: getfd with descriptor 3, which is the tap's, netdev_add, device_add.
# `hot-plug.py SOCKET ID MAC`; ends when it is plugged.
import array, json, socket, sys
path, name, mac = sys.argv[1:]
monitor = socket.socket(socket.AF_UNIX)
monitor.connect(path)
lines = monitor.makefile('r')
lines.readline()


def ask(command, arguments, fds=()):
    text = json.dumps({'execute': command, 'arguments': arguments}).encode()
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', fds))] if fds else []
    monitor.sendmsg([text], rights)
    while True:
        answer = json.loads(lines.readline())
        if 'return' in answer:
            return
        if 'error' in answer:
            sys.exit(command + ': ' + json.dumps(answer))


ask('qmp_capabilities', {})
ask('getfd', {'fdname': 'fd-' + name}, [3])
ask('netdev_add', {'type': 'tap', 'id': 'net-' + name, 'fd': 'fd-' + name})
ask('device_add', {'driver': 'virtio-net-pci', 'netdev': 'net-' + name, 'id': name, 'mac': mac})
