import { GATEWAY_ADDRESS } from '../../src/agent/wiring/identity.ts';
import { booted } from '../../test/support/debian-guest/boot.ts';
import { poll } from '../../test/support/lab/index.ts';
import { attackerOf, guestAddressOf } from '../scenario/attacker.ts';
import { attempts } from '../scenario/attempts.ts';
import { inboundAttempts } from '../scenario/inbound.ts';
import { OTHER_VM, PLACES, VM } from '../scenario/places.ts';
import { tryInboundInVain, tryInVain } from '../scenario/trial.ts';
import { CARD } from './places.ts';
import { Scene, type SceneOptions } from './scene.ts';
import { toolAttempts } from './tools.ts';
import { fact, nothingElse, shownOnBothEnds, tenantHonoured, tunnelCarries } from './tunnel-facts.ts';

export const STEPS = {
  booted: 'booted',
  attacked: 'root attacks',
  restored: 'restored',
} as const;

const HANDSHAKE_DEADLINE_MS = 60_000;

/** The whole story. Throws when it cannot go on; what it saw is in the ledger. The scene is still open after it. */
export async function tellStory(options: SceneOptions): Promise<Scene> {
  options.narrator.step(
    'A Debian is rented',
    'One YAML with the public key of the consumer. `vmnetctl run` makes the key of the VM, the closed tap and the seed image.',
  );
  const scene = await Scene.open(options);
  await boot(scene);
  await attack(scene);
  await restore(scene);
  return scene;
}

async function boot(scene: Scene): Promise<void> {
  const { narrator, world, subject, tunnel, publicKey } = scene;
  await world.hostFarEnd.watch(subject.tap);
  await world.newArrivals();
  await world.agree(PLACES.consumer);
  narrator.busy('its shell answers; cloud-init, the firewall, the network and the tunnel come up');
  await booted(subject.guest);
  narrator.busy('waiting for the handshake');
  const shaken = async (): Promise<boolean> => (await tunnel.handshake(publicKey)) > 0;
  await poll('a handshake', shaken, { deadlineMs: HANDSHAKE_DEADLINE_MS }).catch(() => false);

  narrator.step(
    'The tunnel is up',
    'Nobody typed anything in the guest. The consumer ran `vmnetctl peer-config`.',
  );
  scene.add(await tunnelCarries(scene, STEPS.booted, 'ping through the tunnel'));
  for (const line of await shownOnBothEnds(scene, STEPS.booted)) scene.add(line);
  scene.add(await nothingElse(scene, STEPS.booted, 'anything but the tunnel, since the boot'));
  const status = await subject.guest.run('cloud-init status | head -n 1');
  scene.add(fact(STEPS.booted, 'cloud-init', 'status: done', status.output.trim()));

  narrator.step('The tenant', 'Their own user-data went in with --user-data.');
  for (const line of await tenantHonoured(scene, STEPS.booted)) scene.add(line);
}

/**
 * With the tunnel up the attempts would go into it: root takes it down, and the consumer ends, so that whatever comes to it is an
 * escape. The attempts know the card by another name.
 */
async function attack(scene: Scene): Promise<void> {
  const { narrator, world, provider, subject, tunnel } = scene;
  const attachment = await provider.attachment(VM, 'Enforced', ({ state }) => state === 'Enforced');
  const other = await provider.attachment(OTHER_VM, 'Enforced', ({ state }) => state === 'Enforced');
  const attacker = attackerOf(attachment, guestAddressOf(other), PLACES.consumer);
  const tries = [...toolAttempts(attacker), ...attempts(attacker)];
  narrator.step(
    'Root takes the tunnel and the firewall down, and tries everything',
    `${String(tries.length)} ways out, then the ways in. Far ends listen and capture.`,
  );
  await tunnel.end();
  await subject.guest.must(
    [
      'systemctl stop wg-quick@wg0',
      'nft flush ruleset',
      `ip link property add dev ${CARD} altname eth0`,
      // Nothing is to arrive by itself while it is counted what does.
      `ip neighbour replace ${attacker.gatewayAddress} lladdr ${attacker.gatewayMac} dev ${CARD} nud permanent`,
    ].join(' && '),
  );
  await world.newArrivals();
  for (const attempt of tries) scene.add(await tryInVain(STEPS.attacked, attempt, subject, world));
  for (const attempt of inboundAttempts(attacker))
    scene.add(await tryInboundInVain(STEPS.attacked, attempt, subject, world));
}

async function restore(scene: Scene): Promise<void> {
  const { narrator, subject, tunnel } = scene;
  narrator.step('Root thinks better of it', 'Firewall and tunnel are started again, as at a boot.');
  await tunnel.startAgain();
  await subject.guest.must(
    `ip neighbour del ${GATEWAY_ADDRESS} dev ${CARD} && systemctl restart vmnet-guest-firewall && systemctl start wg-quick@wg0`,
    60_000,
  );
  scene.add(await tunnelCarries(scene, STEPS.restored, 'ping through the tunnel'));
  for (const line of await shownOnBothEnds(scene, STEPS.restored)) scene.add(line);
  scene.add(await nothingElse(scene, STEPS.restored, 'anything but the tunnel'));
}
