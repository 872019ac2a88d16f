import type { GuestMachine } from '../guest/index.ts';

/** A network card as libvirt is told of it. */
export interface DomainInterface {
  type: 'ethernet' | 'bridge';
  mac: string;
  /** Only with `bridge`. */
  bridge?: string;
  /** Of the tap that libvirt makes; `%d` becomes a number. */
  target: string;
}

export interface DomainFields {
  name: string;
  uuid: string;
  machine: GuestMachine;
  interfaces: readonly DomainInterface[];
}

/** The XML that `virsh define` takes: a guest that boots its kernel directly, without disks. */
export function domainXml({ name, uuid, machine, interfaces }: DomainFields): string {
  const serial = (type: string, source: string, port: number): string =>
    `<serial type='${type}'><source ${source}/><target type='isa-serial' port='${String(port)}'/></serial>`;
  return `<domain type='${machine.accelerator === 'kvm' ? 'kvm' : 'qemu'}'>
  <name>${text(name)}</name><uuid>${uuid}</uuid>
  <memory unit='MiB'>${String(machine.memoryMiB)}</memory><vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
    <kernel>${text(machine.kernel)}</kernel><initrd>${text(machine.initramfs)}</initrd>
    <cmdline>${text(machine.commandLine)}</cmdline>
  </os>
  <features><acpi/></features>
  <on_reboot>destroy</on_reboot>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    ${serial('file', `path='${text(machine.console)}'`, 0)}
    ${serial('unix', `mode='bind' path='${text(machine.socket)}'`, 1)}
    ${interfaces.map(interfaceXml).join('\n    ')}
    <memballoon model='none'/>
  </devices>
</domain>
`;
}

export function interfaceXml({ type, mac, bridge, target }: DomainInterface): string {
  const source = bridge === undefined ? '' : `<source bridge='${text(bridge)}'/>`;
  const card = `<mac address='${mac}'/><target dev='${text(target)}'/><model type='virtio'/>`;
  return `<interface type='${type}'>${source}${card}</interface>`;
}

/** Also between quotes of either kind. */
function text(value: string): string {
  return value.replaceAll(/[&<>'"]/g, (character) => `&#${String(character.charCodeAt(0))};`);
}
