import type { Namespace } from '../lab/index.ts';
import type { RentalLab } from './rental-lab.ts';

/** A network namespace of the host with a way of its own to the far ends, which lets anybody through: only an agent closes it. */
export async function openPod({ lab, wan }: RentalLab): Promise<Namespace> {
  const pod = await lab.namespace('pod');
  await lab.connect(pod, wan, {
    ...{ nameA: 'eth0', addressA: '10.0.7.2/24' },
    ...{ nameB: 'to-pod', addressB: '10.0.7.1/24' },
  });
  await pod.run(['ip', 'route', 'add', 'default', 'via', '10.0.7.1']);
  await pod.sysctl('net.ipv4.ip_forward', '1');
  await wan.run(['ip', 'route', 'add', '10.9.9.0/24', 'via', '10.0.7.2']);
  await wan.run(['ip', 'route', 'add', '100.64.0.0/10', 'via', '10.0.7.2']);
  return pod;
}
