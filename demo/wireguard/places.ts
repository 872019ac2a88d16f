/** Inside the tunnel. */
export const VM_INSIDE = '10.99.0.2';
/** What the guest calls its card; as in src/cloudinit/documents/interfaces.ts, which the tenant sees. */
export const CARD = 'vmnet0';

/** The tenant's own; nothing in it is ours. */
export const USER_DATA = `#cloud-config
# The tenant's own: the blanks   and the ünicode stay as they are.
bootcmd:
  - echo boot >>/var/lib/tenant-boots
write_files:
  - {path: /etc/tenant, permissions: '0640', content: "of the tenant\\n"}
runcmd:
  - [sh, -c, 'echo once >>/var/lib/tenant-once']
`;
